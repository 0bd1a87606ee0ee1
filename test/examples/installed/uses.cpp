// Says what it got from where: a string in a region, and whether malloc is Lowtide's.
#include <cstdio>
#include <cstdlib>
#include <lowtide/lowtide.h>
#include <lowtide/region.hpp>

int main() {
    lowtide::region r;
    void* p = std::malloc(100);
    std::printf("%s, malloc is %s\n", lowtide_region_strdup(r.get(), "a region"),
                lowtide_owns(p) ? "Lowtide's" : "another's");
    std::free(p);
}
