// SPDX-License-Identifier: GPL-2.0-only
/*
 * The loader of unikernels (solo5.h). As in loader.c everything is checked and
 * placed first, in struct plan; only then is guest memory written.
 *
 * What a segment is not to write is read-only in the page tables that the
 * unikernel starts with, in the first 16 MB, for which there is room below the
 * boot information; beyond it all can be written. Nothing is kept from being
 * executed: the ABI starts it without EFER.NXE.
 */
#include <stdarg.h>
#include <string.h>

#include "elf64.h"
#include "lib.h"
#include "solo5.h"

#define PAGE		4096ull
#define MB		(1ull << 20)
#define LARGE		(2 * MB)	/* what an entry of a directory maps */
#define TABLES		8u		/* from SOLO5_PT to SOLO5_BOOT_INFO */

#define CMDLINE_MAX	(SOLO5_CMDLINE_SIZE - 1)

struct plan {
	uint64_t	mem_size;
	uint64_t	entry;
	uint64_t	end;		/* of the image, so far */
	uint64_t	last;		/* address of the last segment */
	bool		entry_found;
	uint32_t	entries;	/* of the manifest, which is here */
	uint64_t	manifest;	/* in the file */
};

/* ---- errors ------------------------------------------------------------- */

static bool __attribute__((format(printf, 3, 4)))
refuse(struct solo5_out *out, enum loader_part part, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_buffer(out->error, sizeof(out->error), fmt, ap);
	va_end(ap);
	out->part = part;
	return false;
}

/* ---- the file ------------------------------------------------------------ */

bool solo5_is(const uint8_t *file, uint64_t size)
{
	struct elf64_header h;
	uint32_t bytes;

	return elf64_header(file, size, &h) && elf64_complete(&h, size) &&
	       elf64_note(file, size, &h, SOLO5_NOTE_ABI, &bytes);
}

static bool check_header(const struct solo5_in *in, struct solo5_out *out,
			 struct elf64_header *h)
{
	if (!elf64_header(in->file, in->file_size, h) ||
	    h->machine != ELF_X86_64)
		return refuse(out, LOADER_KERNEL,
			      "not a 64-bit ELF file for x86");
	if (h->type != ELF_EXEC || h->version != ELF_CURRENT)
		return refuse(out, LOADER_KERNEL,
			      "an ELF file of type %u and version %u, not an executable",
			      h->type, h->version);
	if (h->ehsize != sizeof(*h) ||
	    h->phentsize != sizeof(struct elf64_segment))
		return refuse(out, LOADER_KERNEL,
			      "damaged: ELF headers of %u and %u bytes",
			      h->ehsize, h->phentsize);
	if (!elf64_complete(h, in->file_size))
		return refuse(out, LOADER_KERNEL,
			      "truncated: %u ELF program headers from byte %lu on, the file has %lu",
			      h->phnum, h->phoff, in->file_size);
	return true;
}

/* ---- notes -------------------------------------------------------------- */

static bool check_abi(const struct solo5_in *in, struct solo5_out *out,
		      const struct elf64_header *h)
{
	struct solo5_abi abi;
	uint32_t size;
	uint64_t at = elf64_note(in->file, in->file_size, h, SOLO5_NOTE_ABI,
				&size);

	if (!at)
		return refuse(out, LOADER_KERNEL,
			      "no unikernel: it has no ABI note of Solo5");
	if (size < sizeof(abi))
		return refuse(out, LOADER_KERNEL,
			      "damaged: its ABI note has %u bytes", size);
	memcpy(&abi, in->file + at, sizeof(abi));
	if (abi.target != SOLO5_TARGET_HVT)
		return refuse(out, LOADER_KERNEL,
			      "a unikernel for target %u of Solo5, not for hvt (%u): build it for that",
			      abi.target, SOLO5_TARGET_HVT);
	if (abi.version != SOLO5_ABI_VERSION)
		return refuse(out, LOADER_KERNEL,
			      "a unikernel for version %u of Solo5's hvt ABI, not %u",
			      abi.version, SOLO5_ABI_VERSION);
	return true;
}

static struct solo5_entry entry_at(const struct solo5_in *in,
				   const struct plan *plan, uint32_t i)
{
	struct solo5_entry e;

	memcpy(&e, in->file + plan->manifest +
	       offsetof(struct solo5_manifest, entry) + i * sizeof(e),
	       sizeof(e));
	return e;
}

static bool plan_manifest(const struct solo5_in *in, struct solo5_out *out,
			  const struct elf64_header *h, struct plan *plan)
{
	struct solo5_manifest m;
	uint32_t size, i;
	uint64_t at = elf64_note(in->file, in->file_size, h,
				SOLO5_NOTE_MANIFEST, &size);

	if (!at)
		return refuse(out, LOADER_KERNEL,
			      "no unikernel: it has no manifest");
	if (size < SOLO5_MANIFEST_PAD + sizeof(m))
		return refuse(out, LOADER_KERNEL,
			      "damaged: its manifest has %u bytes", size);
	plan->manifest = at + SOLO5_MANIFEST_PAD;
	memcpy(&m, in->file + plan->manifest, sizeof(m));
	if (m.version != SOLO5_MANIFEST_VERSION)
		return refuse(out, LOADER_KERNEL,
			      "a manifest of version %u, not %u", m.version,
			      SOLO5_MANIFEST_VERSION);
	if (!m.entries || m.entries > SOLO5_MANIFEST_MAX)
		return refuse(out, LOADER_KERNEL,
			      "damaged: a manifest of %u entries, there are 1 to %u",
			      m.entries, SOLO5_MANIFEST_MAX);
	if (size - SOLO5_MANIFEST_PAD !=
	    sizeof(m) + m.entries * sizeof(struct solo5_entry))
		return refuse(out, LOADER_KERNEL,
			      "damaged: a manifest of %u entries in %u bytes",
			      m.entries, size);
	plan->entries = m.entries;
	for (i = 0; i < m.entries; i++) {
		struct solo5_entry e = entry_at(in, plan, i);

		if (e.name[SOLO5_NAME_SIZE - 1] || e.attached ||
		    (!i && (e.type != SOLO5_FIRST || e.name[0])))
			return refuse(out, LOADER_KERNEL,
				      "damaged: entry %u of the manifest", i);
	}
	return true;
}

/* ---- devices ------------------------------------------------------------ */

static const char *type_name(uint32_t type)
{
	return type == SOLO5_BLOCK ? "block" :
	       type == SOLO5_NET ? "network" : "unknown";
}

static bool same_name(const char *a, const char *b)
{
	size_t len = strlen(a);

	return len == strlen(b) && !memcmp(a, b, len);
}

/* Each entry of the manifest has a device, and each device an entry. */
static bool plan_devices(const struct solo5_in *in, struct solo5_out *out,
			 const struct plan *plan)
{
	const struct solo5_device *d, *end = in->device + in->devices;
	uint32_t i, n;

	out->handles = plan->entries;
	for (i = 1; i < plan->entries; i++) {
		struct solo5_entry e = entry_at(in, plan, i);

		for (d = in->device; d < end; d++)
			if (d->type == e.type && same_name(d->name, e.name))
				break;
		if (d == end)
			return refuse(out, LOADER_KERNEL,
				      "its manifest has the %s device \"%s\", and none is attached (--%s %s=...)",
				      type_name(e.type), e.name,
				      e.type == SOLO5_BLOCK ? "disk" : "net",
				      e.name);
		out->handle[i] = d;
	}
	for (d = in->device; d < end; d++) {
		n = 0;
		for (i = 1; i < plan->entries; i++)
			n += out->handle[i] == d;
		if (n != 1)
			return refuse(out, LOADER_KERNEL,
				      "its manifest has the %s device \"%s\" %u times",
				      type_name(d->type), d->name, n);
		if (d->type == SOLO5_BLOCK &&
		    (!d->capacity || d->capacity % SOLO5_SECTOR))
			return refuse(out, LOADER_KERNEL,
				      "the disk for \"%s\" has %lu bytes, not blocks of %u",
				      d->name, d->capacity, SOLO5_SECTOR);
	}
	return true;
}

/* ---- memory ------------------------------------------------------------- */

static bool plan_memory(const struct solo5_in *in, struct solo5_out *out,
			struct plan *plan)
{
	uint64_t all = in->ram_size + in->rest;

	if (all > LOADER_LOW_END)
		return refuse(out, LOADER_MEMORY,
			      "too much: a unikernel has at most %llu MB",
			      LOADER_LOW_END / MB);
	plan->mem_size = all & -LARGE;
	if (plan->mem_size < LARGE || in->ram_size < LARGE)
		return refuse(out, LOADER_MEMORY,
			      "too small: a unikernel has at least %llu MB",
			      LARGE / MB);
	return true;
}

static bool check_segment(const struct solo5_in *in, struct solo5_out *out,
			  const struct plan *plan,
			  const struct elf64_segment *s)
{
	uint64_t room = in->ram_size < plan->mem_size ? in->ram_size :
							plan->mem_size;
	uint64_t start = s->vaddr & -s->align;

	if (!elf64_inside(s, in->file_size))
		return refuse(out, LOADER_KERNEL,
			      "truncated: an ELF segment of %lu bytes from byte %lu on, the file has %lu",
			      s->filesz, s->offset, in->file_size);
	if (s->filesz > s->memsz)
		return refuse(out, LOADER_KERNEL,
			      "damaged: an ELF segment of %lu bytes holds %lu",
			      s->memsz, s->filesz);
	if (s->align < PAGE || s->align & (s->align - 1))
		return refuse(out, LOADER_KERNEL,
			      "damaged: an ELF segment aligned to 0x%lx, not to pages",
			      s->align);
	if (s->flags & ELF_W && s->flags & ELF_X)
		return refuse(out, LOADER_KERNEL,
			      "an ELF segment at 0x%lx is both written and executed",
			      s->vaddr);
	if (start < SOLO5_BASE)
		return refuse(out, LOADER_KERNEL,
			      "an ELF segment begins at 0x%lx, below 0x%x",
			      start, SOLO5_BASE);
	if (s->vaddr < plan->last || start < plan->end)
		return refuse(out, LOADER_KERNEL,
			      "ELF segments overlap, or are not in order, at 0x%lx",
			      s->vaddr);
	/* With alignment it may end a little later, and no sum is too large. */
	if (s->vaddr >= room || s->memsz > room - s->vaddr ||
	    s->align > room ||
	    ((s->vaddr + s->memsz + s->align - 1) & -s->align) > room)
		return refuse(out, LOADER_KERNEL,
			      "needs 0x%lx bytes at 0x%lx, memory ends at 0x%lx: give it more",
			      s->memsz, s->vaddr, room);
	return true;
}

static bool plan_segments(const struct solo5_in *in, struct solo5_out *out,
			  const struct elf64_header *h, struct plan *plan)
{
	uint32_t i;

	for (i = 0; i < h->phnum; i++) {
		struct elf64_segment s = elf64_segment(in->file, h, i);

		if (s.type != ELF_LOAD || !s.memsz)
			continue;
		if (!check_segment(in, out, plan, &s))
			return false;
		plan->last = s.vaddr;
		plan->end = (s.vaddr + s.memsz + s.align - 1) & -s.align;
		if (h->entry >= s.vaddr && h->entry - s.vaddr < s.memsz &&
		    s.flags & ELF_X)
			plan->entry_found = true;
	}
	if (!plan->entry_found)
		return refuse(out, LOADER_KERNEL,
			      "the entry 0x%lx is in no ELF segment that is executed",
			      h->entry);
	plan->entry = h->entry;
	return true;
}

static bool check_cmdline(const struct solo5_in *in, struct solo5_out *out)
{
	size_t len = strlen(in->cmdline);

	if (len > CMDLINE_MAX)
		return refuse(out, LOADER_CMDLINE,
			      "%lu characters, a unikernel takes at most %u",
			      len, CMDLINE_MAX);
	return true;
}

/* ---- writing ------------------------------------------------------------ */

static void put(const struct solo5_in *in, uint64_t at, uint64_t value)
{
	memcpy(in->ram + at, &value, sizeof(value));
}

/* Flat, and accessed: code of 64 bits, data. */
static void write_gdt(const struct solo5_in *in)
{
	put(in, SOLO5_GDT, 0);
	put(in, SOLO5_GDT + SOLO5_CS, 0x00af99000000ffff);
	put(in, SOLO5_GDT + SOLO5_DS, 0x00cf93000000ffff);
}

/* 4 KB each in the first 2 MB, and where a segment is read-only, as far as there
 * are tables. */
static void fine_regions(const struct solo5_in *in,
			 const struct elf64_header *h, bool fine[TABLES])
{
	uint64_t n, end;
	uint32_t i;

	memset(fine, 0, TABLES * sizeof(fine[0]));
	fine[0] = true;
	for (i = 0; i < h->phnum; i++) {
		struct elf64_segment s = elf64_segment(in->file, h, i);

		if (s.type != ELF_LOAD || !s.memsz || s.flags & ELF_W)
			continue;
		end = s.vaddr + s.memsz;
		for (n = s.vaddr / LARGE; n < TABLES && n * LARGE < end; n++)
			fine[n] = true;
	}
}

static uint64_t pte_address(uint64_t va)
{
	return SOLO5_PT + va / PAGE * 8;
}

static void write_protect(const struct solo5_in *in,
			  const struct elf64_header *h)
{
	uint64_t va, end;
	uint32_t i;

	for (i = 0; i < h->phnum; i++) {
		struct elf64_segment s = elf64_segment(in->file, h, i);

		if (s.type != ELF_LOAD || !s.memsz || s.flags & ELF_W)
			continue;
		va = s.vaddr & -PAGE;
		end = s.vaddr + s.memsz;
		for (; va < end && va < TABLES * LARGE; va += PAGE)
			put(in, pte_address(va), va | PTE_P);
	}
}

static void write_tables(const struct solo5_in *in,
			 const struct elf64_header *h, const struct plan *plan)
{
	bool fine[TABLES];
	uint64_t va, i;

	memset(in->ram + SOLO5_PML4, 0, SOLO5_BOOT_INFO - SOLO5_PML4);
	put(in, SOLO5_PML4, SOLO5_PDPT | PTE_P | PTE_W);
	for (i = 0; i < 4; i++)
		put(in, SOLO5_PDPT + i * 8,
		    (SOLO5_PD + i * PAGE) | PTE_P | PTE_W);
	fine_regions(in, h, fine);
	for (va = 0; va < plan->mem_size; va += LARGE) {
		i = va / LARGE;
		if (i >= TABLES || !fine[i]) {
			put(in, SOLO5_PD + i * 8, va | PTE_P | PTE_W | PTE_PS);
			continue;
		}
		put(in, SOLO5_PD + i * 8,
		    (SOLO5_PT + i * PAGE) | PTE_P | PTE_W);
		for (i = 0; i < LARGE; i += PAGE)
			if (va + i >= SOLO5_BOOT_INFO)
				put(in, pte_address(va + i), (va + i) | PTE_P |
				    (va + i < SOLO5_BASE ? 0 : PTE_W));
	}
	write_protect(in, h);
}

static void write_image(const struct solo5_in *in, const struct elf64_header *h)
{
	uint32_t i;

	for (i = 0; i < h->phnum; i++) {
		struct elf64_segment s = elf64_segment(in->file, h, i);

		if (s.type != ELF_LOAD || !s.memsz)
			continue;
		memcpy(in->ram + s.vaddr, in->file + s.offset, s.filesz);
		memset(in->ram + s.vaddr + s.filesz, 0, s.memsz - s.filesz);
	}
}

/* What the file says of devices is their names and types. */
static struct solo5_entry attached(struct solo5_entry e,
				   const struct solo5_device *d)
{
	struct solo5_entry n = { .type = e.type };

	memcpy(n.name, e.name, sizeof(n.name));
	if (!d)
		return n;
	n.attached = 1;
	if (d->type == SOLO5_BLOCK) {
		n.block.capacity = d->capacity;
		n.block.block_size = SOLO5_SECTOR;
	} else {
		memcpy(n.net.mac, d->mac, sizeof(n.net.mac));
		n.net.mtu = SOLO5_MTU;
	}
	return n;
}

static void write_boot_info(const struct solo5_in *in,
			    const struct solo5_out *out,
			    const struct plan *plan)
{
	struct solo5_manifest m = {
		SOLO5_MANIFEST_VERSION, plan->entries
	};
	struct solo5_boot_info info = {
		.mem_size = plan->mem_size,
		.kernel_end = plan->end,
		.tsc_hz = in->tsc_hz,
		.manifest = SOLO5_BOOT_INFO + sizeof(info),
	};
	uint64_t at = info.manifest;
	uint32_t i;

	memcpy(in->ram + at, &m, sizeof(m));
	at += sizeof(m);
	for (i = 0; i < plan->entries; i++) {
		struct solo5_entry e = attached(entry_at(in, plan, i),
						out->handle[i]);

		memcpy(in->ram + at, &e, sizeof(e));
		at += sizeof(e);
	}
	info.cmdline = at;
	memset(in->ram + at, 0, SOLO5_CMDLINE_SIZE);
	memcpy(in->ram + at, in->cmdline, strlen(in->cmdline));
	memcpy(in->ram + SOLO5_BOOT_INFO, &info, sizeof(info));
}

bool solo5_load(const struct solo5_in *in, struct solo5_out *out)
{
	struct plan plan = { 0 };
	struct elf64_header h;

	*out = (struct solo5_out) { 0 };
	if (!check_header(in, out, &h) || !check_abi(in, out, &h) ||
	    !plan_manifest(in, out, &h, &plan) ||
	    !plan_devices(in, out, &plan) || !plan_memory(in, out, &plan) ||
	    !plan_segments(in, out, &h, &plan) || !check_cmdline(in, out))
		return false;

	write_gdt(in);
	write_tables(in, &h, &plan);
	write_image(in, &h);
	write_boot_info(in, out, &plan);
	out->mem_size = plan.mem_size;
	out->start = (struct vmi64_ap_state) {
		.cr0 = CR0_PE | CR0_NE | CR0_WP | CR0_PG,
		.cr3 = SOLO5_PML4,
		.cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT,
		.efer = EFER_LME | EFER_LMA,
		.rip = plan.entry,
		.rsp = plan.mem_size - 8,
		.rdi = SOLO5_BOOT_INFO,
		.rflags = EFLAGS_FIXED,
		.gdtr_base = SOLO5_GDT, .gdtr_limit = SOLO5_DS + 8 - 1,
		.cs = SOLO5_CS, .ss = SOLO5_DS,
		.ds = SOLO5_DS, .es = SOLO5_DS, .fs = SOLO5_DS, .gs = SOLO5_DS,
	};
	return true;
}
