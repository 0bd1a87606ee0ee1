/* A library that is initialised first and finished last; see first.h. */
#include "first.h"

#include <pthread.h>
#include <unistd.h>

struct early_note first_in_dt_init;
struct early_note first_in_constructor;

static int handlers_enabled;
static unsigned handlers_run;
static int speaks;
static struct early_note kept_to_the_end;

static void in_handler(void) {
    void* block;
    if (!handlers_enabled) {
        return;
    }
    ++handlers_run;
    block = malloc(700);
    free(malloc(24));
    free(realloc(block, 70000));
}

void first_enable_atfork_handlers(void) {
    handlers_enabled = 1;
}
unsigned first_atfork_handlers_run(void) {
    return handlers_run;
}

void first_dt_init(void);
void first_dt_init(void) {
    early_use(&first_in_dt_init);
}

__attribute__((constructor)) static void construct(void) {
    early_use(&first_in_constructor);
    pthread_atfork(in_handler, in_handler, in_handler);
}

void first_speak_at_the_end(void) {
    speaks = 1;
    early_use(&kept_to_the_end);
}

static void speak(const char* text, size_t length) {
    struct early_note late;
    if (!speaks) {
        return;
    }
    early_use(&late);
    if (early_kept_is_intact(&late) && write(1, text, length) < 0) {
        _exit(1);
    }
}

__attribute__((destructor)) static void destroy(void) {
    speak("first library's destructor\n", 27);
}

void first_dt_fini(void);
void first_dt_fini(void) {
    if (!speaks || early_kept_is_intact(&kept_to_the_end)) {
        speak("first library's DT_FINI\n", 24);
    }
}
