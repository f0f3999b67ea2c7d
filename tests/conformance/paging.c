// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page tables of either kind, with entries of 4 bytes or, with PAE, of 8. The
 * four page directories of PAE lie behind each other, as do the tables of one
 * range, so that both kinds are indexed in the same way.
 */
#include "conf.h"

#define CR0_PG		0x80000000u
#define CR0_WP		0x00010000u
#define CR4_PSE		0x10u
#define CR4_PAE		0x20u
#define CPUID_PAE	0x40u
#define CPUID_NX	0x100000u
#define CPUID_EXT	0x80000001u
#define MSR_EFER	0xc0000080u
#define EFER_NXE	0x800u
#define ABSENT_QUARTER	2u		/* of ours: has no directory at first */

bool pae, nx;
struct space ours, theirs;

/* Low memory by 4 KB pages, once for both of its places. */
static uint64_t low_tables[MAPPED / PAGE] __attribute__((aligned(PAGE)));

static uint32_t entry_size(void)
{
	return pae ? 8 : 4;
}

uint32_t table_entries(void)
{
	return PAGE / entry_size();
}

uint32_t large_size(void)
{
	return table_entries() * PAGE;
}

uint64_t get(const void *entry)
{
	const volatile uint32_t *e = entry;

	return pae ? (uint64_t)e[1] << 32 | e[0] : e[0];
}

/* As Linux stores one that is not in use: never half of it present. */
void store(void *entry, uint64_t value)
{
	volatile uint32_t *e = entry;

	if (pae) {
		e[0] = 0;
		e[1] = (uint32_t)(value >> 32);
	}
	e[0] = (uint32_t)value;
}

/* As Linux changes one that a processor may be changing too. */
void exchange(void *entry, uint64_t value)
{
	uint32_t low = (uint32_t)value, eax, edx;

	if (pae)
		__asm__ volatile("1: lock cmpxchg8b (%2)\n\tjnz 1b"
				 : "=a"(eax), "=d"(edx)
				 : "D"(entry), "b"(low),
				   "c"((uint32_t)(value >> 32)), "a"(0), "d"(0)
				 : "memory", "cc");
	else
		__asm__ volatile("xchg %0, (%1)"
				 : "+r"(low) : "r"(entry) : "memory");
}

void set_entry(void *entry, uint64_t value, uint32_t flags)
{
	if (pae)
		vmi4(VMI_CALL_SetPxELong, (uint32_t)value,
		     (uint32_t)(value >> 32), (uintptr_t)entry, flags);
	else
		vmi3(SetPxE, (uint32_t)value, (uintptr_t)entry, flags);
}

void update(void *entry, uint32_t flags)
{
	vmi2(UpdateEntry, (uintptr_t)entry, flags);
}

void *entry_at(void *table, uint32_t n)
{
	return (uint8_t *)linear(table) + n * entry_size();
}

void *dir_entry(struct space *s, uint32_t va)
{
	return entry_at(s->directory, va / large_size());
}

uint32_t root(const struct space *s)
{
	return pae ? (uintptr_t)s->pdpt : (uintptr_t)s->directory;
}

/* ---- as a kernel builds its own, before it knows of a ROM ---------------------- */

static bool cpuid_has(uint32_t leaf, uint32_t bit)
{
	uint32_t eax = leaf, ebx, ecx = 0, edx;

	__asm__("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	return edx & bit;
}

bool paging_can_pae(void)
{
	return cpuid_has(1, CPUID_PAE);
}

static void enable_nx(void)
{
	nx = cpuid_has(CPUID_EXT, CPUID_NX);
	if (nx)
		wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
}

void paging_init(void)
{
	uint32_t value, va;

	for (uint32_t page = 0; page < MAPPED / PAGE; page++)
		store((uint8_t *)low_tables + page * entry_size(),
		      page * PAGE | PTE_P | PTE_W);
	for (va = 0; va < MAPPED; va += large_size()) {
		const uint32_t entry = ((uintptr_t)low_tables + va / PAGE *
					entry_size()) | PTE_P | PTE_W;

		store(ours.directory + va / large_size() * entry_size(), entry);
		store(ours.directory + (LINEAR + va) / large_size() *
		      entry_size(), entry);
	}
	for (uint32_t q = 0; q < 4; q++)
		if (q != ABSENT_QUARTER)
			ours.pdpt[q] = (uintptr_t)(ours.directory + q * PAGE) |
				       PTE_P;
	if (pae)
		enable_nx();
	__asm__ volatile("mov %%cr4, %0" : "=r"(value));
	__asm__ volatile("mov %0, %%cr4"
			 : : "r"(value | CR4_PSE | (pae ? CR4_PAE : 0)));
	__asm__ volatile("mov %0, %%cr3" : : "r"(root(&ours)));
	__asm__ volatile("mov %%cr0, %0" : "=r"(value));
	__asm__ volatile("mov %0, %%cr0\n\tjmp 1f\n1:"
			 : : "r"(value | CR0_PG | CR0_WP) : "memory");
}

/* Its pages need not be writable (VMI-2.3.4); before Init, with WP on. */
void image_read_only(const uint8_t *image, uint32_t bytes)
{
	const uint32_t pa = (uintptr_t)image - LINEAR;
	uint32_t cr3;

	for (uint32_t page = pa / PAGE; page * PAGE < pa + bytes; page++)
		store((uint8_t *)low_tables + page * entry_size(),
		      page * PAGE | PTE_P);
	__asm__ volatile("mov %%cr3, %0\n\tmov %0, %%cr3"
			 : "=r"(cr3) : : "memory");
}

/* ---- what the ROM is told of them ------------------------------------------------ */

static uint32_t kind(uint32_t level)
{
	return level | VMI_PAGE_ZEROED | (pae ? VMI_PAGE_PAE : 0);
}

void table_alloc(const void *table, uint32_t level)
{
	vmi4(VMI_CALL_AllocatePage, (uintptr_t)table / PAGE, kind(level), 0, 0);
}

void table_release(const void *table, uint32_t level)
{
	vmi2(ReleasePage, (uintptr_t)table / PAGE, kind(level));
}

static void alloc_clone(const struct space *to, const struct space *from,
			uint32_t start, uint32_t count)
{
	uint32_t eax = root(to) / PAGE, ecx = root(from) / PAGE;
	uint32_t edx = kind(VMI_PAGE_PD) | VMI_PAGE_CLONE;

	__asm__ volatile("pushl %5\n\tpushl %4\n\tcall *%3\n\taddl $8, %%esp"
			 : "+a"(eax), "+d"(edx), "+c"(ecx)
			 : "r"(vmi_entry[VMI_CALL_AllocatePage]), "r"(start),
			   "r"(count)
			 : "memory", "cc");
}

static void *directory_of(const struct space *s, uint32_t quarter)
{
	return (void *)(s->directory + quarter * PAGE);
}

static bool is_own(const struct space *s, uint32_t quarter)
{
	return (s->pdpt[quarter] & ~(uint64_t)ENTRY_BITS) ==
	       (uintptr_t)directory_of(s, quarter);
}

void announce_tables(void)
{
	table_alloc((void *)root(&ours), VMI_PAGE_PD);
	for (uint32_t q = 0; pae && q < 4; q++)
		if (is_own(&ours, q))
			table_alloc(directory_of(&ours, q), VMI_PAGE_PD);
	for (uint32_t page = 0; page < MAPPED / PAGE; page += table_entries())
		table_alloc((uint8_t *)low_tables + page * entry_size(),
			    VMI_PAGE_PT);
}

/* All of our space, with directories of its own; nobody is told. */
void space_copy(struct space *to)
{
	for (uint32_t i = 0; i < sizeof(to->directory) / 4; i++)
		((uint32_t *)to->directory)[i] =
			((const uint32_t *)ours.directory)[i];
	for (uint32_t q = 0; q < 4; q++)
		to->pdpt[q] = ours.pdpt[q] ?
			(uintptr_t)directory_of(to, q) | PTE_P : 0;
}

void space_alloc(const struct space *s)
{
	for (uint32_t q = 0; pae && q < 4; q++)
		if (is_own(s, q))
			table_alloc(directory_of(s, q), VMI_PAGE_PD);
	table_alloc((void *)root(s), VMI_PAGE_PD);
}

/*
 * As Linux makes a space for a process: the kernel's part, and this image,
 * which Linux has not. With PAE the kernel's directory is shared.
 */
void space_clone(struct space *to)
{
	const uint32_t kernel = LINEAR / large_size();
	uint32_t n = pae ? kernel : 1024;

	for (uint32_t i = 0; i < n; i++) {
		const uint32_t va = i * large_size();
		const bool copied = va < MAPPED || va >= LINEAR;

		store(entry_at(to->directory, i), copied ?
		      get(entry_at(ours.directory, i)) : 0);
	}
	for (uint32_t q = 0; q < 3; q++) {
		to->pdpt[q] = (uintptr_t)directory_of(to, q) | PTE_P;
		if (pae)
			table_alloc(directory_of(to, q), VMI_PAGE_PD);
	}
	to->pdpt[3] = ours.pdpt[3];
	if (pae)
		alloc_clone(to, &ours, 3, 1);
	else
		alloc_clone(to, &ours, kernel, 1024 - kernel);
}

/* The root last; it must not be loaded any more. */
void space_release(const struct space *s)
{
	for (uint32_t q = 0; pae && q < 4; q++)
		if (is_own(s, q))
			table_release(directory_of(s, q), VMI_PAGE_PD);
	table_release((void *)root(s), VMI_PAGE_PD);
}
