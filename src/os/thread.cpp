#include "os/thread.h"

constinit thread_local lowtide::os::thread_area lowtide_thread;
