// SPDX-License-Identifier: GPL-2.0-only
/*
 * The boot loader of a guest. First everything is checked and placed, in
 * struct plan; only then is guest memory written.
 */
#include <stdarg.h>
#include <string.h>

#include "bootparams.h"
#include "elf64.h"
#include "lib.h"
#include "loader.h"
#include "vmi_hypercall.h"

/* The rest of the layout below 1 MB; above it the kernel and its RAM disk. */
#define LOW_CMDLINE	0x20000u
#define LOW_CMDLINE_MAX	0x10000u
#define LOW_RAM_END	0x9fc00u	/* where a PC keeps its EBDA */
#define LOW_ROM		0xa0000u	/* to 1 MB: video memory, ROMs */
#define HIGH		0x100000u

#define PAGE		4096u
#define MB		(1u << 20)

/* Of page tables: present, writable; a page of 2 MB. */
#define TABLE		0x003u
#define LARGE_PAGE	0x083u

/* The header of an ELF file, of either class. */
struct elf {
	bool		wide;
	uint16_t	type, phentsize, phnum;
	uint64_t	entry, phoff;
};

struct plan {
	uint64_t	end;		/* of the memory that the kernel needs */
	uint64_t	start;		/* bzImage: where it goes */
	uint64_t	entry;
	bool		wide;		/* a 64-bit kernel */
	uint32_t	initrd;
	uint64_t	initrd_max;	/* highest address of its last byte */
	uint64_t	comm;
	uint32_t	cmdline_max;	/* without the terminator */
	struct setup_header hdr;
	/* bzImage: what to copy there. ELF: NULL, see the segments. */
	const uint8_t	*image;
	uint32_t	image_size;
	struct elf	elf;
};

/* ---- errors ------------------------------------------------------------- */

static bool __attribute__((format(printf, 3, 4)))
refuse(struct loader_out *out, enum loader_part part, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_buffer(out->error, sizeof(out->error), fmt, ap);
	va_end(ap);
	out->part = part;
	return false;
}

/* ---- memory ------------------------------------------------------------- */

static bool check_memory(const struct loader_in *in, struct loader_out *out)
{
	if (in->ram_size < LOADER_RAM_MIN)
		return refuse(out, LOADER_MEMORY,
			      "too small: %lu MB, at least %lu MB are needed",
			      in->ram_size / MB, LOADER_RAM_MIN / MB);
	return true;
}

/* Is [start, end), above 1 MB, memory that the kernel may use? */
static bool check_range(const struct loader_in *in, struct loader_out *out,
			uint64_t start, uint64_t end)
{
	if (start < HIGH)
		return refuse(out, LOADER_KERNEL,
			      "wants to be loaded at 0x%lx, below 1 MB",
			      start);
	if (end > in->ram_size)
		return refuse(out, LOADER_KERNEL, in->rest ?
			      "needs 0x%lx to 0x%lx, memory in one piece ends at 0x%lx: too small, %lu MB are needed" :
			      "needs 0x%lx to 0x%lx, memory ends at 0x%lx: too small, %lu MB are needed",
			      start, end, in->ram_size, (end + MB - 1) / MB);
	return true;
}

/* ---- bzImage ------------------------------------------------------------ */

static bool read_header(const struct loader_in *in, struct loader_out *out,
			struct setup_header *hdr)
{
	size_t size, have = 0;

	*hdr = (struct setup_header) { 0 };
	if (in->kernel_size > SETUP_HEADER_OFFSET)
		have = in->kernel_size - SETUP_HEADER_OFFSET;
	if (have > sizeof(*hdr))
		have = sizeof(*hdr);
	if (have)
		memcpy(hdr, in->kernel + SETUP_HEADER_OFFSET, have);
	if (hdr->header != SETUP_MAGIC || hdr->boot_flag != SETUP_BOOT_FLAG)
		return refuse(out, LOADER_KERNEL,
			      "not a kernel: neither bzImage nor ELF");
	if (hdr->version < 0x205)
		return refuse(out, LOADER_KERNEL,
			      "boot protocol %u.%u, at least 2.5 is needed",
			      hdr->version >> 8, hdr->version & 0xff);
	/* The header ends where the jump leads; what follows is code. */
	size = offsetof(struct setup_header, header) + hdr->jump_offset;
	if (size < offsetof(struct setup_header, min_alignment))
		return refuse(out, LOADER_KERNEL,
			      "damaged: the setup header has %lu bytes",
			      size);
	if (size > sizeof(*hdr))
		size = sizeof(*hdr);
	if (size > have)
		return refuse(out, LOADER_KERNEL,
			      "truncated: %lu bytes, not even the setup header",
			      in->kernel_size);
	memset((uint8_t *)hdr + size, 0, sizeof(*hdr) - size);
	return true;
}

static bool check_header(const struct setup_header *hdr,
			 struct loader_out *out)
{
	if (!(hdr->loadflags & LOADED_HIGH))
		return refuse(out, LOADER_KERNEL,
			      "a zImage, which loads below 1 MB; make a bzImage");
	if (hdr->relocatable_kernel &&
	    (!hdr->kernel_alignment ||
	     (hdr->kernel_alignment & (hdr->kernel_alignment - 1))))
		return refuse(out, LOADER_KERNEL,
			      "damaged: alignment 0x%x is not a power of two",
			      hdr->kernel_alignment);
	if (hdr->version >= 0x20a && hdr->pref_address > LOADER_LOW_END)
		return refuse(out, LOADER_KERNEL,
			      "damaged: wants to be loaded at 0x%lx",
			      hdr->pref_address);
	return true;
}

static bool plan_bzimage(const struct loader_in *in, struct loader_out *out,
			 struct plan *plan)
{
	struct setup_header *hdr = &plan->hdr;
	uint64_t setup, size, need;

	if (!read_header(in, out, hdr) || !check_header(hdr, out))
		return false;
	setup = ((hdr->setup_sects ? hdr->setup_sects : 4) + 1) * 512u;
	size = (uint64_t)hdr->syssize * 16;
	if (in->kernel_size < setup + size)
		return refuse(out, LOADER_KERNEL,
			      "truncated: the header says %lu bytes, the file has %lu",
			      setup + size, in->kernel_size);
	if (!size)
		return refuse(out, LOADER_KERNEL,
			      "damaged: the header says that there is no code");
	/*
	 * At its preferred address the kernel decompresses and runs where it
	 * was loaded; below that address it would move itself up anyway.
	 */
	plan->start = hdr->version >= 0x20a ? hdr->pref_address : HIGH;
	if (hdr->relocatable_kernel) {
		uint64_t mask = hdr->kernel_alignment - 1;

		if (plan->start < HIGH)
			plan->start = HIGH;
		plan->start = (plan->start + mask) & ~mask;
	}
	need = hdr->init_size > size ? hdr->init_size : size;
	plan->end = plan->start + need;
	plan->entry = plan->start;
	plan->wide = hdr->version >= 0x20c && (hdr->xloadflags & XLF_KERNEL_64);
	if (plan->wide)
		plan->entry += ENTRY_64;
	if (plan->entry - plan->start >= size)
		return refuse(out, LOADER_KERNEL,
			      "damaged: a 64-bit kernel of %lu bytes has no entry",
			      size);
	plan->initrd_max = hdr->initrd_addr_max;
	plan->cmdline_max = hdr->version >= 0x206 ? hdr->cmdline_size : 255;
	plan->image = in->kernel + setup;
	plan->image_size = size;
	return check_range(in, out, plan->start, plan->end);
}

/* ---- ELF ---------------------------------------------------------------- */

#define ELF_CLASS32	1
#define ELF_386		3

struct elf32_header {
	uint8_t		magic[4];
	uint8_t		class, data, ident_version, pad[9];
	uint16_t	type, machine;
	uint32_t	version;
	uint32_t	entry, phoff, shoff, flags;
	uint16_t	ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
_Static_assert(sizeof(struct elf32_header) == 52, "Elf32_Ehdr");

struct elf32_segment {
	uint32_t	type, offset, vaddr, paddr, filesz, memsz, flags, align;
};
_Static_assert(sizeof(struct elf32_segment) == 32, "Elf32_Phdr");

static const uint8_t elf_magic[4] = { 0x7f, 'E', 'L', 'F' };

static bool elf_read(const struct loader_in *in, struct loader_out *out,
		     struct elf *elf)
{
	struct elf32_header h;
	struct elf64_header w;

	if (in->kernel_size < sizeof(h))
		return refuse(out, LOADER_KERNEL,
			      "truncated: %lu bytes, not even an ELF header",
			      in->kernel_size);
	memcpy(&h, in->kernel, sizeof(h));
	if (h.class == ELF_CLASS32 && h.data == ELF_LITTLE &&
	    h.machine == ELF_386)
		*elf = (struct elf){
			false, h.type, h.phentsize, h.phnum, h.entry, h.phoff
		};
	else if (h.class != ELF_CLASS64 || h.data != ELF_LITTLE ||
		 h.machine != ELF_X86_64)
		return refuse(out, LOADER_KERNEL,
			      "an ELF file for another machine, not x86");
	else if (elf64_header(in->kernel, in->kernel_size, &w))
		*elf = (struct elf){
			true, w.type, w.phentsize, w.phnum, w.entry, w.phoff
		};
	else
		return refuse(out, LOADER_KERNEL,
			      "truncated: %lu bytes, not even an ELF header",
			      in->kernel_size);
	return true;
}

/* Segment i, which elf_check() has found to be inside the file. */
static struct elf64_segment elf_segment(const struct loader_in *in,
					const struct elf *elf, unsigned int i)
{
	const uint8_t *at = in->kernel + elf->phoff + i * elf->phentsize;
	struct elf64_segment w;
	struct elf32_segment s;

	if (elf->wide) {
		memcpy(&w, at, sizeof(w));
		return w;
	}
	memcpy(&s, at, sizeof(s));
	return (struct elf64_segment){
		.type = s.type, .offset = s.offset, .paddr = s.paddr,
		.filesz = s.filesz, .memsz = s.memsz,
	};
}

static bool elf_check(const struct loader_in *in, struct loader_out *out,
		      const struct elf *elf)
{
	const uint64_t each = elf->wide ? sizeof(struct elf64_segment) :
			      sizeof(struct elf32_segment);
	const uint64_t size = in->kernel_size;

	if (elf->type != ELF_EXEC)
		return refuse(out, LOADER_KERNEL,
			      "an ELF file of type %u, not an executable",
			      elf->type);
	if (elf->phentsize != each)
		return refuse(out, LOADER_KERNEL,
			      "damaged: ELF program headers of %u bytes",
			      elf->phentsize);
	if (elf->phoff > size || (size - elf->phoff) / each < elf->phnum)
		return refuse(out, LOADER_KERNEL,
			      "truncated: %u ELF headers from byte %lu on, the file has %lu",
			      elf->phnum, elf->phoff, size);
	return true;
}

static bool check_segment(const struct loader_in *in, struct loader_out *out,
			  const struct elf64_segment *s)
{
	if (!elf64_inside(s, in->kernel_size))
		return refuse(out, LOADER_KERNEL,
			      "truncated: an ELF segment has %lu bytes from byte %lu on, the file has %lu",
			      s->filesz, s->offset, in->kernel_size);
	if (s->filesz > s->memsz)
		return refuse(out, LOADER_KERNEL,
			      "damaged: an ELF segment of %lu bytes holds %lu",
			      s->memsz, s->filesz);
	if (s->memsz > UINT64_MAX - s->paddr)
		return refuse(out, LOADER_KERNEL,
			      "damaged: an ELF segment of %lu bytes at 0x%lx",
			      s->memsz, s->paddr);
	return check_range(in, out, s->paddr, s->paddr + s->memsz);
}

static bool plan_elf(const struct loader_in *in, struct loader_out *out,
		     struct plan *plan)
{
	bool entry_found = false;
	const struct elf *elf = &plan->elf;
	unsigned int i;

	if (!elf_read(in, out, &plan->elf) || !elf_check(in, out, elf))
		return false;
	for (i = 0; i < elf->phnum; i++) {
		struct elf64_segment s = elf_segment(in, elf, i);

		if (s.type != ELF_LOAD || !s.memsz)
			continue;
		if (!check_segment(in, out, &s))
			return false;
		if (elf->entry - s.paddr < s.memsz)
			entry_found = true;
		if (s.paddr + s.memsz > plan->end)
			plan->end = s.paddr + s.memsz;
	}
	if (!entry_found)
		return refuse(out, LOADER_KERNEL,
			      "the entry 0x%lx is in no segment (by physical "
			      "address)", elf->entry);
	plan->start = plan->entry = elf->entry;
	plan->wide = elf->wide;
	plan->initrd_max = UINT32_MAX;
	plan->cmdline_max = LOW_CMDLINE_MAX - 1;
	plan->hdr = (struct setup_header) {
		.boot_flag = SETUP_BOOT_FLAG,
		.header = SETUP_MAGIC,
		.version = 0x20c,
		.loadflags = LOADED_HIGH,
		.cmdline_size = LOW_CMDLINE_MAX - 1,
	};
	return true;
}

/* ---- the rest of the plan ----------------------------------------------- */

static bool plan_cmdline(const struct loader_in *in, struct loader_out *out,
			 struct plan *plan)
{
	size_t len = in->cmdline ? strlen(in->cmdline) : 0;

	if (plan->cmdline_max > LOW_CMDLINE_MAX - 1)
		plan->cmdline_max = LOW_CMDLINE_MAX - 1;
	if (len > plan->cmdline_max)
		return refuse(out, LOADER_CMDLINE,
			      "%lu characters, the kernel takes at most %u",
			      len, plan->cmdline_max);
	return true;
}

/* As high as possible, since a kernel may expand upwards. */
static bool plan_initrd(const struct loader_in *in, struct loader_out *out,
			struct plan *plan)
{
	uint64_t behind = (plan->end + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	uint64_t end = in->ram_size;

	if (!in->initrd)
		return true;
	if (!in->initrd_size)
		return refuse(out, LOADER_INITRD, "empty");
	if (plan->initrd_max < end)
		end = plan->initrd_max + 1;
	if (end >= in->initrd_size) {
		plan->initrd = (end - in->initrd_size) & ~(uint64_t)(PAGE - 1);
		if (plan->initrd >= plan->end)
			return true;
	}
	return refuse(out, LOADER_INITRD, in->rest ?
		      "needs 0x%lx bytes behind the kernel's end at 0x%lx, memory in one piece ends at 0x%lx: too small, %lu MB are needed" :
		      "needs 0x%lx bytes behind the kernel's end at 0x%lx, memory ends at 0x%lx: too small, %lu MB are needed",
		      in->initrd_size, plan->end, in->ram_size,
		      (behind + in->initrd_size + MB - 1) / MB);
}

/* Below the initial RAM disk, where that goes if there is none. */
static uint64_t any_page(const struct loader_in *in, const struct plan *plan)
{
	uint64_t end = in->ram_size;

	if (in->initrd)
		end = plan->initrd;
	else if (plan->initrd_max < end)
		end = plan->initrd_max + 1;
	return (end & ~(uint64_t)(PAGE - 1)) - PAGE;
}

/* In the memory that E820 tells of as the kernel's, but not told of there. */
static bool plan_comm(const struct loader_in *in, struct loader_out *out,
		      struct plan *plan)
{
	uint64_t at = in->comm == VMI_COMM_ANY ? any_page(in, plan) : in->comm;
	uint64_t end = at + PAGE;

	if (!in->comm)
		return true;
	if (at % PAGE || at < plan->end || end > in->ram_size)
		return refuse(out, LOADER_COMM,
			      "0x%lx: not a page between the kernel's end at 0x%lx and that of memory at 0x%lx",
			      at, plan->end, in->ram_size);
	if (in->initrd && end > plan->initrd &&
	    at < plan->initrd + in->initrd_size)
		return refuse(out, LOADER_COMM,
			      "0x%lx: the initial RAM disk is there, from 0x%x on",
			      at, plan->initrd);
	plan->comm = at;
	return true;
}

/* ---- writing ------------------------------------------------------------ */

static void write_kernel(const struct loader_in *in, const struct plan *plan)
{
	const struct elf *elf = &plan->elf;
	unsigned int i;

	if (plan->image) {
		memcpy(in->ram + plan->start, plan->image, plan->image_size);
		return;
	}
	for (i = 0; i < elf->phnum; i++) {
		struct elf64_segment s = elf_segment(in, elf, i);

		if (s.type != ELF_LOAD || !s.memsz)
			continue;
		memcpy(in->ram + s.paddr, in->kernel + s.offset, s.filesz);
		memset(in->ram + s.paddr + s.filesz, 0, s.memsz - s.filesz);
	}
}

static void e820_add(struct boot_params *bp, uint64_t start, uint64_t end,
		     uint32_t type)
{
	if (start < end)
		bp->e820_table[bp->e820_entries++] = (struct e820_entry) {
			.addr = start, .size = end - start, .type = type
		};
}

static void write_e820(const struct loader_in *in, const struct plan *plan,
		       struct boot_params *bp)
{
	uint64_t all = in->ram_size + in->rest;
	uint64_t low = all < LOADER_LOW_END ? all : LOADER_LOW_END;
	uint64_t kb = (low - HIGH) >> 10;

	e820_add(bp, 0, LOW_RAM_END, E820_RAM);
	e820_add(bp, LOW_ROM, HIGH, E820_RESERVED);
	if (plan->comm) {
		e820_add(bp, HIGH, plan->comm, E820_RAM);
		e820_add(bp, plan->comm, plan->comm + PAGE, E820_RESERVED);
		e820_add(bp, plan->comm + PAGE, low, E820_RAM);
	} else {
		e820_add(bp, HIGH, low, E820_RAM);
	}
	e820_add(bp, LOADER_HIGH, LOADER_HIGH + (all - low), E820_RAM);
	bp->ext_mem_k = kb > 0xffff ? 0xffff : kb;
	bp->alt_mem_k = kb;
}

static void write_params(const struct loader_in *in, const struct plan *plan)
{
	struct boot_params *bp = (struct boot_params *)(in->ram + BOOT_PARAMS);

	memset(bp, 0, sizeof(*bp));
	bp->hdr = plan->hdr;
	bp->hdr.type_of_loader = LOADER_UNKNOWN;
	bp->hdr.loadflags = LOADED_HIGH;
	bp->hdr.code32_start = plan->start;
	bp->hdr.setup_data = 0;
	bp->hdr.cmd_line_ptr = LOW_CMDLINE;
	bp->hdr.ramdisk_image = plan->initrd;
	bp->hdr.ramdisk_size = in->initrd ? in->initrd_size : 0;
	write_e820(in, plan, bp);
}

static void put(const struct loader_in *in, uint64_t at, uint64_t word)
{
	memcpy(in->ram + at, &word, sizeof(word));
}

/* The first 4 GB where they are, by a table of each level and four of pages of 2
 * MB. */
static void write_tables(const struct loader_in *in)
{
	const uint64_t pdpt = BOOT_TABLES + PAGE, pd = pdpt + PAGE;
	uint64_t i;

	memset(in->ram + BOOT_TABLES, 0, 2 * PAGE);
	put(in, BOOT_TABLES, pdpt | TABLE);
	for (i = 0; i < 4; i++)
		put(in, pdpt + i * 8, (pd + i * PAGE) | TABLE);
	for (i = 0; i < 4 * 512; i++)
		put(in, pd + i * 8, i << 21 | LARGE_PAGE);
}

static void write_low(const struct loader_in *in, bool wide)
{
	/* Flat, DPL 0, accessed, as the boot protocol wants them. */
	const uint64_t gdt[BOOT_GDT_BYTES / 8] = {
		0, 0, wide ? 0x00af9b000000ffff : 0x00cf9b000000ffff,
		0x00cf93000000ffff
	};
	const char *cmdline = in->cmdline ? in->cmdline : "";

	if (wide)
		write_tables(in);
	memcpy(in->ram + BOOT_GDT, gdt, sizeof(gdt));
	memcpy(in->ram + LOW_CMDLINE, cmdline, strlen(cmdline) + 1);
}

bool loader_load(const struct loader_in *in, struct loader_out *out)
{
	struct plan plan = { 0 };
	bool elf;

	*out = (struct loader_out) { 0 };
	if (!check_memory(in, out))
		return false;
	if (!in->kernel_size)
		return refuse(out, LOADER_KERNEL, "empty");
	elf = in->kernel_size >= sizeof(elf_magic) &&
		!memcmp(in->kernel, elf_magic, sizeof(elf_magic));
	if (elf ? !plan_elf(in, out, &plan) : !plan_bzimage(in, out, &plan))
		return false;
	if (!plan_cmdline(in, out, &plan) || !plan_initrd(in, out, &plan) ||
	    !plan_comm(in, out, &plan))
		return false;

	write_low(in, plan.wide);
	write_params(in, &plan);
	write_kernel(in, &plan);
	if (in->initrd)
		memcpy(in->ram + plan.initrd, in->initrd, in->initrd_size);
	out->entry = plan.entry;
	out->wide = plan.wide;
	out->comm = plan.comm;
	return true;
}
