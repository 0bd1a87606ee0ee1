// The C++ library that late_runtime.c loads: it runs the forms of operator new into refusals and reports.
#include "forms.h"
#include "late_runtime.h"

#include <cstdint>
#include <exception>
#include <new>

static int handler_calls;

static void give_up_at_once() {
    ++handler_calls;
    std::set_new_handler(nullptr);
}

static bool caught_by_name(const new_form& form) {
    try {
        form.get(SIZE_MAX, 64);
    } catch (const std::bad_alloc&) {
        return true;
    }
    return false;
}

static bool caught_as_exception(const new_form& form) {
    try {
        form.get(SIZE_MAX, 64);
    } catch (const std::exception&) {
        return true;
    }
    return false;
}

extern "C" __attribute__((visibility("default"))) late_results use_the_late_runtime() {
    late_results results = {};
    for (const new_form& form : new_forms) {
        std::set_new_handler(give_up_at_once);
        if (form.nothrow) {
            results.refused_without_throwing += form.get(SIZE_MAX, 64) == nullptr;
        } else {
            results.caught_by_name += caught_by_name(form);
            results.caught_as_exception += caught_as_exception(form);
        }
    }
    results.handler_calls = handler_calls;
    results.block = ::operator new(100); // the caller looks whose it is; it may stay
    return results;
}
