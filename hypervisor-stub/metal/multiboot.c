// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the boot loader says: multiboot (specification 0.6.96), which QEMU
 * speaks, or multiboot2 (2.0), by which GRUB tells on UEFI machines, too, where
 * ACPI's tables are. Both are made one description. Nothing is read behind the
 * end that a structure says it has.
 */
#include <cpu.h>
#include <string.h>

#include "metal.h"
#include "multiboot.h"

#define MULTIBOOT_MAGIC		0x2badb002u
#define MULTIBOOT2_MAGIC	0x36d76289u

#define RAM			1	/* a type of range, in both */

/* ---- the description ---------------------------------------------------- */

static const char *add_range(struct boot *b, uint64_t start, uint64_t bytes,
			     bool is_ram)
{
	uint64_t room = UINT64_MAX - start;

	if (!bytes)
		return NULL;
	if (b->ranges == BOOT_RANGES)
		return "too many ranges of memory";
	b->range[b->ranges++] = (struct boot_range){
		start, start + (bytes < room ? bytes : room), is_ram
	};
	return NULL;
}

static const char *add_module(struct boot *b, uint32_t start, uint32_t end,
			      const char *string)
{
	if (start > end)
		return "a module ends before it starts";
	if (b->modules == BOOT_MODULES)
		return "too many modules";
	b->module[b->modules++] = (struct boot_module){ start, end, string };
	return add_range(b, start, end - start, false);
}

/* ---- multiboot ---------------------------------------------------------- */

#define MB_CMDLINE	(1u << 2)
#define MB_MODULES	(1u << 3)
#define MB_MMAP		(1u << 6)

/* 3.3 */
struct mb_info {
	uint32_t	flags;
	uint32_t	mem_lower, mem_upper;
	uint32_t	boot_device;
	uint32_t	cmdline;
	uint32_t	mods_count, mods_addr;
	uint32_t	syms[4];
	uint32_t	mmap_length, mmap_addr;
};

struct mb_module {
	uint32_t	start, end;
	uint32_t	string;
	uint32_t	reserved;
};

struct mb_range {
	uint32_t	size;		/* of what follows */
	uint64_t	base, length;
	uint32_t	type;
} __attribute__((packed));

static const char *mb_string(struct boot *b, uint32_t at, const char **string)
{
	*string = host_va(at);
	return add_range(b, at, strlen(*string) + 1, false);
}

static const char *mb_modules(struct boot *b, uint32_t at, uint32_t count)
{
	const struct mb_module *m = host_va(at);
	const char *wrong = add_range(b, at, count * sizeof(*m), false);
	const char *string;

	for (; !wrong && count; m++, count--) {
		wrong = mb_string(b, m->string, &string);
		if (!wrong)
			wrong = add_module(b, m->start, m->end, string);
	}
	return wrong;
}

static const char *mb_map(struct boot *b, uint32_t at, uint32_t length)
{
	const char *wrong = add_range(b, at, length, false);
	const struct mb_range *r;
	uint64_t step;

	for (; !wrong && length; at += step, length -= step) {
		r = host_va(at);
		if (length < sizeof(*r))
			return "the memory map ends within a range";
		step = r->size + 4ull;
		if (step < sizeof(*r) || step > length)
			return "a range of the memory map has a wrong size";
		wrong = add_range(b, r->base, r->length, r->type == RAM);
	}
	return wrong;
}

static const char *read_mb(struct boot *b, uint32_t info)
{
	const struct mb_info *mb = host_va(info);
	const char *wrong = add_range(b, info, sizeof(*mb), false);

	if (!wrong && mb->flags & MB_CMDLINE)
		wrong = mb_string(b, mb->cmdline, &b->cmdline);
	if (!wrong && mb->flags & MB_MODULES)
		wrong = mb_modules(b, mb->mods_addr, mb->mods_count);
	if (!wrong && mb->flags & MB_MMAP)
		wrong = mb_map(b, mb->mmap_addr, mb->mmap_length);
	return wrong;
}

/* ---- multiboot2 --------------------------------------------------------- */

/* 3.4; each tag begins at a multiple of 8. */
enum { END, CMDLINE, MODULE = 3, MMAP = 6, RSDP_OLD = 14, RSDP_NEW = 15 };

struct mb2_info {
	uint32_t	size;		/* of all */
	uint32_t	reserved;
};

struct mb2_tag {
	uint32_t	type;
	uint32_t	size;		/* of this, too */
};

struct mb2_module {
	struct mb2_tag	tag;
	uint32_t	start, end;
	char		string[];
};

struct mb2_map {
	struct mb2_tag	tag;
	uint32_t	range_size, version;
	uint8_t		range[];
};

struct mb2_range {
	uint64_t	base, length;
	uint32_t	type;
	uint32_t	reserved;
};

/* ACPI 6.4, 5.2.5.3: of the RSDP, revisions 0 and 2. */
#define RSDP_OLD_SIZE	20u
#define RSDP_NEW_SIZE	36u

/* From a place in the tag on, with its end; NULL: it has none. */
static const char *mb2_string(const struct mb2_tag *tag, uint32_t at)
{
	const char *string = (const char *)tag + at;

	if (tag->size <= at || !memchr(string, 0, tag->size - at))
		return NULL;
	return string;
}

static const char *mb2_module(struct boot *b, const struct mb2_tag *tag)
{
	const struct mb2_module *m = (const struct mb2_module *)tag;
	const char *string = mb2_string(tag, sizeof(*m));

	if (!string)
		return "a module's string has no end";
	return add_module(b, m->start, m->end, string);
}

static const char *mb2_map(struct boot *b, const struct mb2_tag *tag)
{
	const struct mb2_map *map = (const struct mb2_map *)tag;
	const char *wrong = NULL;
	const struct mb2_range *r;
	uint32_t i, count;

	if (tag->size < sizeof(*map) || map->range_size < sizeof(*r) ||
	    map->range_size % 8)
		return "a range of the memory map has a wrong size";
	count = (tag->size - sizeof(*map)) / map->range_size;
	for (i = 0; !wrong && i < count; i++) {
		r = (const struct mb2_range *)(map->range +
					       i * map->range_size);
		wrong = add_range(b, r->base, r->length, r->type == RAM);
	}
	return wrong;
}

/* The new one knows more. */
static const char *mb2_rsdp(struct boot *b, const struct mb2_tag *tag)
{
	bool new = tag->type == RSDP_NEW;

	if (tag->size - sizeof(*tag) < (new ? RSDP_NEW_SIZE : RSDP_OLD_SIZE))
		return "the RSDP is too short";
	if (new || !b->rsdp)
		b->rsdp = host_pa(tag + 1);
	return NULL;
}

static const char *mb2_tag(struct boot *b, const struct mb2_tag *tag)
{
	switch (tag->type) {
	case CMDLINE:
		b->cmdline = mb2_string(tag, sizeof(*tag));
		return b->cmdline ? NULL : "the command line has no end";
	case MODULE:
		return mb2_module(b, tag);
	case MMAP:
		return mb2_map(b, tag);
	case RSDP_OLD:
	case RSDP_NEW:
		return mb2_rsdp(b, tag);
	}
	return NULL;
}

static const char *read_mb2(struct boot *b, uint32_t info)
{
	const struct mb2_info *all = host_va(info);
	const struct mb2_tag *tag;
	const char *wrong;
	uint64_t at;

	if (info % 8)
		return "the information is not aligned";
	wrong = add_range(b, info, all->size, false);
	for (at = sizeof(*all); !wrong; at += (tag->size + 7ull) & -8ull) {
		if (at + sizeof(*tag) > all->size)
			return "the information has no end";
		tag = host_va(info + at);
		if (tag->size < sizeof(*tag) || tag->size > all->size - at)
			return "a tag has a wrong size";
		if (tag->type == END)
			return NULL;
		wrong = mb2_tag(b, tag);
	}
	return wrong;
}

/* ---- for main.c --------------------------------------------------------- */

const char *multiboot_read(struct boot *b, uint32_t magic, uint32_t info)
{
	b->cmdline = "";
	b->rsdp = 0;
	b->modules = b->ranges = 0;
	if (magic == MULTIBOOT_MAGIC)
		return read_mb(b, info);
	if (magic == MULTIBOOT2_MAGIC)
		return read_mb2(b, info);
	return "it speaks no multiboot";
}

/*
 * Where the n-th range, of RAM, is not free from an address on, or UINT64_MAX;
 * and up to where it is not. What one range of RAM has given, a later one that
 * overlaps it does not give again.
 */
static uint64_t next_taken(const struct boot *b, uint32_t n, uint64_t from,
			   uint64_t *end)
{
	uint64_t start = UINT64_MAX;
	const struct boot_range *r;

	for (r = b->range; r < b->range + b->ranges; r++) {
		if ((r->is_ram && r >= b->range + n) || r->end <= from ||
		    r->start >= start)
			continue;
		start = r->start;
		*end = r->end;
	}
	return start;
}

void boot_memory(const struct boot *b, uint64_t from)
{
	uint64_t start, stop, taken, end = 0;
	uint32_t n;

	for (n = 0; n < b->ranges; n++) {
		if (!b->range[n].is_ram)
			continue;
		start = b->range[n].start < from ? from : b->range[n].start;
		stop = b->range[n].end < DIRECT_SIZE ? b->range[n].end :
						       DIRECT_SIZE;
		for (; start < stop; start = end) {
			taken = next_taken(b, n, start, &end);
			if (taken >= stop)
				taken = end = stop;
			if (start < taken)
				memory_add(start, taken - start);
		}
	}
}
