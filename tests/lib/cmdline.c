// SPDX-License-Identifier: GPL-2.0-only
/* The boot loader's words: Linux/x86 boot protocol, or multiboot. */
#include <stddef.h>

#include "cmdline.h"
#include "cpu.h"

#define CMD_LINE_PTR		0x228u	/* in the boot parameters of Linux */
#define MULTIBOOT_MAGIC		0x2badb002u
#define MULTIBOOT_CMDLINE	4u	/* a flag */

static const char *line = "";

static const char *text_at(uint32_t address)
{
	return (const char *)(uintptr_t)address;
}

void guest_start(const uint8_t *boot_params, uint32_t magic,
		 const uint32_t *multiboot)
{
	if (magic != MULTIBOOT_MAGIC)
		line = text_at(*(const uint32_t *)(boot_params + CMD_LINE_PTR));
	else if (multiboot[0] & MULTIBOOT_CMDLINE)
		line = text_at(multiboot[4]);
	guest_main();
}

/* What follows the word in s, if s begins with it. */
static const char *behind(const char *s, const char *word)
{
	while (*word && *word == *s) {
		word++;
		s++;
	}
	return *word ? NULL : s;
}

static bool ends(char c)
{
	return !c || c == ' ';
}

const char *option(const char *key)
{
	const char *s, *value;

	for (s = line; *s; s++) {
		value = s == line || ends(s[-1]) ? behind(s, key) : NULL;
		if (value && *value == '=')
			return value + 1;
		if (value && ends(*value))
			return value;
	}
	return NULL;
}

uint32_t option_number(const char *key)
{
	const char *s = option(key);
	uint32_t value = 0;

	for (; s && *s >= '0' && *s <= '9'; s++)
		value = value * 10 + (uint32_t)(*s - '0');
	return value;
}

bool option_is(const char *key, const char *value)
{
	const char *s = option(key);

	s = s ? behind(s, value) : NULL;
	return s && ends(*s);
}
