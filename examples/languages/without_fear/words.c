/* A small C library as there are many: it trusts what it is given.
 *
 * It needs no C library itself, so that it links with any. What must stay true: each function is
 * wrong in the way that its comment says, and right where its input is what it expects; `volatile`
 * keeps the compiler from seeing through it. */
#include <stddef.h>
#include <stdint.h>

/* Counts letters up to the end mark. */
uint32_t words_length(const char *text) {
    volatile uint32_t length = 0;
    while (text[length] != 0) length++;
    return length;
}

static struct {
    volatile char name[16];
    volatile uint32_t times;
} last;

/* Remembers the name, and gives how many it was told so far. A name of 16 letters and more runs
 * over into the number. */
uint32_t words_remember(const char *name) {
    last.times++;
    volatile char *place = last.name;
    while (*name != 0) *place++ = *name++;
    return last.times;
}

/* Fills a buffer of its own with `count` blanks, as many as they may be. */
uint32_t words_blanks(uint32_t count) {
    volatile char buffer[64];
    volatile char *place = buffer;
    for (uint32_t i = 0; i < count; i++) place[i] = ' ';
    return count == 0 ? 0 : (uint32_t)buffer[0];
}

/* Halves a number until it is 1, which it never is for 0. */
uint32_t words_halve(uint32_t number) {
    volatile uint32_t n = number;
    uint32_t times = 0;
    for (; n != 1; times++) n /= 2;
    return times;
}

static volatile uint32_t step = 1;

/* Adds all numbers down to 0, one call for each; from 0 downwards there is no end. */
uint32_t words_sum(uint32_t number) {
    if (number == 0) return 0;
    return number + words_sum(number - step) + step - 1;
}
