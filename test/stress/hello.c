// What hello_cost measures: a program that does next to nothing, and says at its end what it holds. It
// reports on descriptor 3: resident bytes, and those of them that are its own, in KiB.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static long field(const char* text, const char* name) {
    const char* at = strstr(text, name);
    return at == NULL ? -1 : strtol(at + strlen(name), NULL, 10);
}

int main(void) {
    static char text[4096];
    puts("Hello, world!");
    fflush(stdout);
    const int fd = open("/proc/self/smaps_rollup", O_RDONLY);
    if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
        return 1;
    const long clean = field(text, "Private_Clean:");
    const long dirty = field(text, "Private_Dirty:");
    const long resident = field(text, "Rss:");
    if (clean < 0 || dirty < 0 || resident < 0)
        return 1;
    return dprintf(3, "%ld %ld\n", resident, clean + dirty) > 0 ? 0 : 1;
}
