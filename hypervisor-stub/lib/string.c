// SPDX-License-Identifier: GPL-2.0-only
/* What the compiler expects to find, memchr and strlen. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

void *memcpy(void *dst, const void *src, size_t n)
{
	void *d = dst;

	asm volatile("rep movsb" : "+D"(d), "+S"(src), "+c"(n) : : "memory");
	return dst;
}

void *memset(void *dst, int c, size_t n)
{
	uint64_t word = (uint8_t)c * 0x0101010101010101ull;
	size_t words = n / 8, bytes = n % 8;
	void *d = dst;

	asm volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(word) : "memory");
	asm volatile("rep stosb" : "+D"(d), "+c"(bytes) : "a"(word) : "memory");
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *p = a, *q = b;

	for (; n >= 8 && *(const uint64_t *)p == *(const uint64_t *)q; n -= 8) {
		p += 8;
		q += 8;
	}
	for (; n--; p++, q++)
		if (*p != *q)
			return *p - *q;
	return 0;
}

void *memchr(const void *s, int c, size_t n)
{
	bool found;

	if (!n)
		return NULL;
	asm volatile("repne scasb" : "+D"(s), "+c"(n), "=@ccz"(found)
		     : "a"(c) : "memory");
	return found ? (uint8_t *)s - 1 : NULL;
}

size_t strlen(const char *s)
{
	const char *p = s;

	while (*p)
		p++;
	return p - s;
}
