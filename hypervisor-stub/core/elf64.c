// SPDX-License-Identifier: GPL-2.0-only
/* Reads ELF64 files: headers, segments, notes. Nothing outside the file is read,
 * whatever it says. */
#include <string.h>

#include "elf64.h"
#include "solo5_abi.h"

/* With Solo5's name, which fills two words. */
struct note {
	uint32_t	namesz, descsz, type;
	char		name[8];
};
#define NOTE_MIN	12u		/* a header alone */
/* Larger segments of notes are nobody's whom we know: not to search for long. */
#define NOTES_MAX	0x10000u

bool elf64_header(const uint8_t *file, uint64_t size, struct elf64_header *h)
{
	static const uint8_t magic[4] = { 0x7f, 'E', 'L', 'F' };

	if (size < sizeof(*h))
		return false;
	memcpy(h, file, sizeof(*h));
	return !memcmp(h->magic, magic, sizeof(magic)) &&
	       h->class == ELF_CLASS64 && h->data == ELF_LITTLE;
}

bool elf64_complete(const struct elf64_header *h, uint64_t size)
{
	const uint64_t each = sizeof(struct elf64_segment);

	return h->phentsize == each && h->phoff <= size &&
	       (size - h->phoff) / each >= h->phnum;
}

struct elf64_segment elf64_segment(const uint8_t *file,
				   const struct elf64_header *h, uint32_t i)
{
	struct elf64_segment s;

	memcpy(&s, file + h->phoff + i * sizeof(s), sizeof(s));
	return s;
}

bool elf64_inside(const struct elf64_segment *s, uint64_t size)
{
	return s->offset <= size && s->filesz <= size - s->offset;
}

static uint64_t padded(uint32_t size)
{
	return (size + 3ull) & ~3ull;
}

/*
 * The same as elf64_note() in one segment, which is in the file. Other notes are
 * anybody's, and are passed over; one that ends behind the segment ends the
 * search.
 */
static uint64_t note_in(const uint8_t *file, const struct elf64_segment *s,
			uint32_t type, uint32_t *size)
{
	uint64_t at = s->offset, end = at + s->filesz, left, desc;
	struct note n;

	for (;;) {
		left = end - at;
		if (left < NOTE_MIN)
			return 0;
		memset(&n, 0, sizeof(n));
		memcpy(&n, file + at, left < sizeof(n) ? left : sizeof(n));
		desc = at + NOTE_MIN + padded(n.namesz);
		if (desc > end || n.descsz > end - desc)
			return 0;
		*size = n.descsz;
		if (n.type == type && n.namesz == sizeof(SOLO5_NOTE_NAME) &&
		    !memcmp(n.name, SOLO5_NOTE_NAME, n.namesz))
			return desc;
		at = desc + padded(n.descsz);
		if (at > end)
			return 0;
	}
}

uint64_t elf64_note(const uint8_t *file, uint64_t file_size,
		    const struct elf64_header *h, uint32_t type, uint32_t *size)
{
	uint64_t at = 0;
	uint32_t i;

	for (i = 0; i < h->phnum && !at; i++) {
		struct elf64_segment s = elf64_segment(file, h, i);

		if (s.type == ELF_NOTE && s.filesz <= NOTES_MAX &&
		    elf64_inside(&s, file_size))
			at = note_in(file, &s, type, size);
	}
	return at;
}
