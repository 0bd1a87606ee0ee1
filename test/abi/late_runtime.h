/* What the plugin of late_runtime.c found out. */
#ifndef LOWTIDE_TEST_ABI_LATE_RUNTIME_H
#define LOWTIDE_TEST_ABI_LATE_RUNTIME_H

struct late_results {
    void* block;                  /* an operator new's */
    int caught_by_name;           /* refused requests that a catch of std::bad_alloc saw, */
    int caught_as_exception;      /* one of std::exception, */
    int refused_without_throwing; /* and a nothrow form's caller */
    int handler_calls;
};

#endif
