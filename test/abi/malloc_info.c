/* malloc_info writes a well-formed XML document to the stream it is given, while that stream itself
 * allocates. */
#include "check.h"
#include "memory.h"
#include "ways.h"
#include "xml.h"

#include <stdio.h>

TEST(the_xml_check_knows_good_from_bad) {
    const char* const good[] = {"<a/>", "<a></a>",
                                "<?xml version=\"1.0\"?>\n<a b=\"1\" c='2'>\n<d/>x &lt; y<!-- z --></a>\n",
                                "<a b=\"'\" />", "<a><b></b ><b/></a>"};
    const char* const bad[] = {"",
                               "a",
                               "<a>",
                               "<a></b>",
                               "<a></ab>",
                               "<a/><b/>",
                               "<a b=1/>",
                               "<a b/>",
                               "<a b=\"1/>",
                               "<a>&</a>",
                               "<a b=\"1\" b='2'/>",
                               "<a>x < y</a>",
                               "<a/>x",
                               "x<a/>",
                               "<a b=\"<\"/>",
                               "<1/>",
                               "<a><!-- -- --></a>",
                               "<a b='1'c='2'/>",
                               "<a><b></a></b>",
                               "<a>\1</a>"};
    for (size_t i = 0; i < COUNT_OF(good); ++i) {
        at(good[i], i, 0);
        CHECK(xml_is_well_formed(good[i]));
    }
    for (size_t i = 0; i < COUNT_OF(bad); ++i) {
        at(bad[i], i, 0);
        CHECK(!xml_is_well_formed(bad[i]));
    }
}

/* The document, for the caller to free. */
static char* document(void) {
    char* text = NULL;
    size_t size = 0;
    FILE* const stream = open_memstream(&text, &size);
    REQUIRE(stream);
    CHECK_EQUAL(malloc_info(0, stream), 0);
    REQUIRE(fclose(stream) == 0);
    CHECK_EQUAL(strlen(text), size);
    return text;
}

static void check_document(void) {
    char* const text = document();
    if (!CHECK(xml_is_well_formed(text)))
        puts(text);
    CHECK(strncmp(strstr(text, "<malloc") ? strstr(text, "<malloc") : "", "<malloc version=\"1\"", 19) == 0);
    free(text);
}

TEST(malloc_info_writes_well_formed_xml) {
    check_document();
}

TEST(malloc_info_is_well_formed_whatever_is_held) {
    enum { of_each = 50 };
    static void* blocks[COUNT_OF(sizes_of_every_range)][of_each];
    for (size_t i = 0; i < COUNT_OF(sizes_of_every_range); ++i)
        for (size_t j = 0; j < of_each && sizes_of_every_range[i] * j < 200 * MIB; ++j)
            blocks[i][j] = malloc(sizes_of_every_range[i]);
    check_document();
    for (size_t i = 0; i < COUNT_OF(sizes_of_every_range); ++i)
        for (size_t j = 0; j < of_each; ++j)
            free(blocks[i][j]);
    check_document();
}

TEST(malloc_info_writes_to_a_file_that_has_no_buffer) {
    FILE* const stream = tmpfile();
    REQUIRE(stream);
    setvbuf(stream, NULL, _IONBF, 0);
    CHECK_EQUAL(malloc_info(0, stream), 0);
    static char text[1 << 20];
    rewind(stream);
    CHECK(fread(text, 1, sizeof text - 1, stream) > 0);
    CHECK(xml_is_well_formed(text));
    fclose(stream);
}

TEST(malloc_info_refuses_options_and_writes_nothing) {
    const int options[] = {1, 2, -1};
    for (size_t i = 0; i < COUNT_OF(options); ++i) {
        FILE* const stream = tmpfile();
        REQUIRE(stream);
        at("malloc_info", (size_t)options[i], 0);
        errno = 0;
        CHECK_EQUAL(malloc_info(options[i], stream), -1);
        CHECK_EQUAL(errno, EINVAL);
        fflush(stream);
        CHECK_EQUAL(ftell(stream), 0);
        fclose(stream);
    }
}
