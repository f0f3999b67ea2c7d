/* SPDX-License-Identifier: GPL-2.0-only */
/* The commands of vmi-rom. Each returns the exit status of the program. */
#ifndef ROM_TOOL_H
#define ROM_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* NULL for a number that is not assigned. wide: of VMI-64. */
const char *tool_call_name(bool wide, size_t number);

/* Prints one line about a file on standard error; returns 1. */
int tool_refuse(const char *file, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A whole file, to be freed; NULL after a message. */
uint8_t *tool_read(const char *file, size_t *size);

/* Every check that applies to the image; NULL, or what is wrong. */
const char *tool_check(const uint8_t *image, size_t size);

/* Is it for the stub hypervisor? At least a header is there. */
bool tool_is_stub(const uint8_t *image);

int tool_info(const char *file);
int tool_trace(const char *file);
int tool_finish(const char *elf, const char *image);

#endif
