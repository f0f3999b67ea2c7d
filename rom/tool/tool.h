/* SPDX-License-Identifier: GPL-2.0-only */
/* The commands of vmi-rom. Each returns the exit status of the program. */
#ifndef ROM_TOOL_H
#define ROM_TOOL_H

#include <stddef.h>
#include <stdint.h>

#include "vmi.h"

/* NULL for a number that is not assigned. */
extern const char *const call_names[VMI_CALL_COUNT];

/* Prints one line about a file on standard error; returns 1. */
int tool_refuse(const char *file, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A whole file, to be freed; NULL after a message. */
uint8_t *tool_read(const char *file, size_t *size);

/* Every check that applies to the image; NULL, or what is wrong. */
const char *tool_check(const uint8_t *image, size_t size);

int tool_info(const char *file);
int tool_trace(const char *file, const char *area);	/* area: or NULL */
int tool_finish(const char *elf, const char *image);

#endif
