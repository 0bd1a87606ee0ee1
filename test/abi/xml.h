/* A strict little check that a text is a well-formed XML document: one root, tags that nest, attributes that
   are quoted and named once, no stray < or &. It knows no DTD, CDATA or processing instructions but the
   declaration; malloc_info needs none. Each function takes the rest of the text and returns what follows, or
   NULL. */
#ifndef LOWTIDE_TEST_ABI_XML_H
#define LOWTIDE_TEST_ABI_XML_H

#include <stddef.h>
#include <string.h>

static inline int xml_is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static inline const char* xml_skip_space(const char* text) {
    while (xml_is_space(*text))
        ++text;
    return text;
}

static inline int xml_starts_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static inline const char* xml_name(const char* text) {
    if (!xml_starts_name(*text))
        return NULL;
    while (xml_starts_name(*text) || (*text >= '0' && *text <= '9') || (*text && strchr("-.:", *text)))
        ++text;
    return text;
}

static inline const char* xml_entity(const char* text) {
    static const char* const known[] = {"&lt;", "&gt;", "&amp;", "&quot;", "&apos;"};
    for (size_t i = 0; i < sizeof known / sizeof *known; ++i)
        if (strncmp(text, known[i], strlen(known[i])) == 0)
            return text + strlen(known[i]);
    return NULL;
}

/* Characters up to one of `ends`: no control characters, no < and no bare &. */
static inline const char* xml_characters(const char* text, const char* ends) {
    while (*text && !strchr(ends, *text)) {
        if (*text == '<' || ((unsigned char)*text < ' ' && !xml_is_space(*text)))
            return NULL;
        text = *text == '&' ? xml_entity(text) : text + 1;
        if (!text)
            return NULL;
    }
    return *text ? text : NULL;
}

static inline const char* xml_comment(const char* text) {
    const char* const end = strstr(text + 4, "--");
    return end && end[2] == '>' ? end + 3 : NULL;
}

static inline const char* xml_skip_space_and_comments(const char* text) {
    text = xml_skip_space(text);
    while (text && strncmp(text, "<!--", 4) == 0) {
        text = xml_comment(text);
        text = text ? xml_skip_space(text) : NULL;
    }
    return text;
}

/* name="value"; value_end is set to the closing quote. */
static inline const char* xml_attribute(const char* text) {
    text = xml_name(text);
    if (!text || *text != '=' || (text[1] != '"' && text[1] != '\''))
        return NULL;
    const char quote[2] = {text[1], 0};
    text = xml_characters(text + 2, quote);
    return text ? text + 1 : NULL;
}

/* Whether an attribute of the same name stands between `first` and `attribute`. */
static inline int xml_repeats(const char* first, const char* attribute) {
    const size_t length = (size_t)(xml_name(attribute) - attribute) + 1; /* with the = */
    for (const char* other = first; other < attribute; other = xml_skip_space(xml_attribute(other)))
        if (strncmp(other, attribute, length) == 0)
            return 1;
    return 0;
}

/* Attributes up to > or /> or ?>, each after a space. */
static inline const char* xml_attributes(const char* text) {
    const char* const first = xml_skip_space(text);
    while (xml_is_space(*text)) {
        const char* const attribute = xml_skip_space(text);
        if (!xml_starts_name(*attribute))
            return attribute;
        text = xml_attribute(attribute);
        if (!text || xml_repeats(first, attribute))
            return NULL;
    }
    return text;
}

static inline const char* xml_element(const char* text);

/* What is between two tags, up to the closing one. */
static inline const char* xml_content(const char* text) {
    for (;;) {
        text = xml_characters(text, "<");
        if (!text || strncmp(text, "</", 2) == 0)
            return text;
        text = strncmp(text, "<!--", 4) == 0 ? xml_comment(text) : xml_element(text);
        if (!text)
            return NULL;
    }
}

static inline const char* xml_element(const char* text) {
    if (*text != '<')
        return NULL;
    const char* const name = text + 1;
    const char* const name_end = xml_name(name);
    text = name_end ? xml_attributes(name_end) : NULL;
    if (!text)
        return NULL;
    if (strncmp(text, "/>", 2) == 0)
        return text + 2;
    text = *text == '>' ? xml_content(text + 1) : NULL;
    const size_t length = (size_t)(name_end - name);
    if (!text || strncmp(text + 2, name, length) != 0)
        return NULL;
    text = xml_skip_space(text + 2 + length);
    return *text == '>' ? text + 1 : NULL;
}

static inline int xml_is_well_formed(const char* text) {
    if (strncmp(text, "<?xml ", 6) == 0) {
        text = xml_attributes(text + 5);
        if (!text || strncmp(text, "?>", 2) != 0)
            return 0;
        text += 2;
    }
    text = xml_skip_space_and_comments(text);
    text = text ? xml_element(text) : NULL;
    text = text ? xml_skip_space_and_comments(text) : NULL;
    return text && *text == 0;
}

#endif
