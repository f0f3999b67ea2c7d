/* SPDX-License-Identifier: GPL-2.0-only */
/* What a freestanding program has to bring itself, beside <string.h>. */
#ifndef LIB_H
#define LIB_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* %c %s %d %u %x, with l, a width and zero padding; %.*s. Each character goes
 * to put(). */
void print(void (*put)(void *arg, char c), void *arg, const char *fmt, va_list);

/* The same into a buffer, always terminated; what does not fit is left out. */
void print_buffer(char *buffer, size_t size, const char *fmt, va_list);

/* Words that nobody guesses who has seen others (random.c). */
struct random {
	uint64_t	key[2], count;
};
void random_init(struct random *);
uint64_t random_word(struct random *);
uint64_t random_hash(const uint64_t key[2], const uint64_t *word, uint32_t words);

#endif
