// SPDX-License-Identifier: GPL-2.0-only
/*
 * The old client's page tables: some entries go through the ROM, some are
 * stored and told of, and when a space is torn down nobody is told at all.
 * Tables of processes are in high memory, seen through linear slots 1 and 2.
 */
#include "client.h"

#define KMAP_FIX	2u		/* first page of the fixmap for kmap */
#define FRAMES_ALL	(HIGHMEM_END / PAGE)
#define TABLES_PD	(PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)
#define USER_RW		(PTE_P | PTE_W | PTE_U)
#define POISON		0xa5u
#define ADDRESS		0x000ffffffffff000ull

uint8_t pae, nx;
static uint8_t references[FRAMES_ALL];
static uint32_t next_low = BOOT_MAPPED / PAGE;
static uint32_t low_end = LOWMEM / PAGE - 1024;	/* the rest is split */
static uint32_t next_high = LOWMEM / PAGE;
static uint32_t free_lows[256], free_highs[1024], low_count, high_count;
static uint32_t in_use;
static uint32_t lazy_mode;

struct mm init_mm, *active_mm = &init_mm;

/* ---- entries ------------------------------------------------------------------ */

uint32_t entry_size(void)
{
	return pae ? 8 : 4;
}

uint32_t large_size(void)
{
	return PAGE / entry_size() * PAGE;
}

uint64_t entry_get(const void *e)
{
	const volatile uint32_t *w = e;

	return pae ? (uint64_t)w[1] << 32 | w[0] : w[0];
}

void entry_store(void *e, uint64_t value)
{
	volatile uint32_t *w = e;

	if (pae) {
		w[0] = 0;
		w[1] = (uint32_t)(value >> 32);
	}
	w[0] = (uint32_t)value;
}

uint64_t entry_xchg(void *e, uint64_t value)
{
	uint32_t eax = 0, edx = 0, ebx = (uint32_t)value;

	if (!pae) {
		__asm__ volatile("xchg %0, (%1)"
				 : "+r"(ebx) : "r"(e) : "memory");
		return ebx;
	}
	__asm__ volatile("1: lock cmpxchg8b (%2)\n\tjnz 1b"
			 : "+a"(eax), "+d"(edx)
			 : "D"(e), "b"(ebx), "c"((uint32_t)(value >> 32))
			 : "memory", "cc");
	return (uint64_t)edx << 32 | eax;
}

void entry_set(void *e, uint64_t value, uint32_t flags)
{
	if (pae)
		vmi4(VMI_CALL_SetPxELong, (uint32_t)value,
		     (uint32_t)(value >> 32), (uintptr_t)e, flags);
	else
		vmi3(SetPxE, (uint32_t)value, (uintptr_t)e, flags);
}

void entry_update(void *e, uint32_t flags)
{
	if (pae)
		vmi2(UpdatePxELong, (uintptr_t)e, flags);
	else
		vmi2(UpdatePxE, (uintptr_t)e, flags);
}

/* Flags of a page's entry: with its address if the space is current. */
static uint32_t flags_of(const struct mm *mm, uint32_t va, uint32_t defer)
{
	if (mm != active_mm && mm != &init_mm)
		return VMI_PAGE_PT;
	return VMI_PAGE_PT | VMI_PAGE_CURRENT_AS | defer | (va & ~(PAGE - 1));
}

void lazy(uint32_t mode)
{
	lazy_mode = mode;
	vmi1(SetLazyMode, mode);
}

/* ---- pages ---------------------------------------------------------------------- */

void *alloc_low(void)
{
	const uint32_t frame = low_count ? free_lows[--low_count] : next_low++;
	uint8_t *const page = va_of(frame * PAGE);

	if (next_low > low_end)
		print("Bail out! no low memory\n");
	in_use++;
	for (uint32_t i = 0; i < PAGE; i++)
		page[i] = 0;
	return page;
}

/* Whatever still believes that this is a table finds nonsense in it. */
void free_low(void *page)
{
	for (uint32_t i = 0; i < PAGE; i++)
		((uint8_t *)page)[i] = POISON;
	in_use--;
	free_lows[low_count++] = pa_of(page) / PAGE;
}

uint32_t alloc_high(void)
{
	const uint32_t frame = high_count ? free_highs[--high_count] :
					    next_high++;

	if (next_high > FRAMES_ALL)
		print("Bail out! no high memory\n");
	references[frame] = 1;
	in_use++;
	return frame;
}

void hold_frame(uint32_t frame)
{
	references[frame]++;
}

void free_frame(uint32_t frame)
{
	uint8_t *page;

	if (--references[frame])
		return;
	page = kmap(3, frame);
	for (uint32_t i = 0; i < PAGE; i++)
		page[i] = POISON;
	kunmap(3);
	in_use--;
	free_highs[high_count++] = frame;
}

uint32_t frames_in_use(void)
{
	return in_use;
}

/* What lazy mode has deferred must be seen before the page is used. */
void *kmap(uint32_t slot, uint32_t frame)
{
	const uint32_t n = KMAP_FIX + slot;

	set_fixmap(n, (uint64_t)frame * PAGE | PTE_P | PTE_W);
	if (lazy_mode == VMI_LAZY_MMU) {
		lazy(VMI_LAZY_NONE);
		lazy(VMI_LAZY_MMU);
	}
	return (void *)fix_va(n);
}

void *kmap_table(uint32_t slot, uint32_t frame)
{
	void *const table = kmap(slot, frame);

	if (has(VMI_CALL_SetLinearMapping))
		vmi4(VMI_CALL_SetLinearMapping, slot, (uintptr_t)table, 1,
		     frame);
	return table;
}

void kunmap(uint32_t slot)
{
	set_fixmap(KMAP_FIX + slot, 0);
}

void announce(uint32_t frame, uint32_t level)
{
	vmi4(VMI_CALL_AllocatePage, frame, level | VMI_PAGE_ZEROED |
	     (pae ? VMI_PAGE_PAE : 0), 0, 0);
}

void withdraw(uint32_t frame, uint32_t level)
{
	vmi2(ReleasePage, frame, level | VMI_PAGE_ZEROED |
	     (pae ? VMI_PAGE_PAE : 0));
}

/* ---- spaces ---------------------------------------------------------------------- */

void *dir_entry(const struct mm *mm, uint32_t va)
{
	if (!pae)
		return mm->root + (va >> 22) * 4;
	return mm->pmd[va >> 30] + (va >> 21 & 511) * 8;
}

static void announce_clone(const struct mm *mm)
{
	uint32_t eax = pa_of(mm->root) / PAGE, ecx = pa_of(init_mm.root) / PAGE;
	uint32_t edx = VMI_PAGE_PD | VMI_PAGE_CLONE | VMI_PAGE_ZEROED |
		       (pae ? VMI_PAGE_PAE : 0);

	__asm__ volatile("pushl %5\n\tpushl %4\n\tcall *%3\n\taddl $8, %%esp"
			 : "+a"(eax), "+d"(edx), "+c"(ecx)
			 : "r"(vmi_entry[VMI_CALL_AllocatePage]),
			   "r"(pae ? 3 : 768), "r"(pae ? 1 : 256)
			 : "memory", "cc");
}

/*
 * The kernel's part is copied by plain stores, then told of. With PAE what is
 * called a page directory here is the PDPT, and its directories come after.
 */
struct mm *mm_new(void)
{
	struct mm *const mm = alloc_low();

	mm->root = alloc_low();
	if (!pae) {
		__builtin_memcpy(mm->root + 768 * 4, init_mm.root + 768 * 4,
				 256 * 4);
		announce_clone(mm);
		return mm;
	}
	__builtin_memcpy(mm->root + 3 * 8, init_mm.root + 3 * 8, 8);
	mm->pmd[3] = init_mm.pmd[3];
	announce_clone(mm);
	for (uint32_t q = 0; q < 3; q++) {
		mm->pmd[q] = alloc_low();
		announce(pa_of(mm->pmd[q]) / PAGE, VMI_PAGE_PD);
		entry_set(mm->root + q * 8, pa_of(mm->pmd[q]) | PTE_P,
			  VMI_PAGE_PDP);
	}
	return mm;
}

static uint32_t index_of(uint32_t va)
{
	return va / PAGE % (PAGE / entry_size()) * entry_size();
}

/* Through this slot; NULL if there is no table. */
static void *pte_map(const struct mm *mm, uint32_t va, uint32_t slot)
{
	const uint64_t pde = entry_get(dir_entry(mm, va));

	if (!(pde & PTE_P))
		return NULL;
	return (uint8_t *)kmap_table(slot, (uint32_t)((pde & ADDRESS) / PAGE)) +
	       index_of(va);
}

static void *pte_alloc(struct mm *mm, uint32_t va, uint32_t slot)
{
	void *pte = pte_map(mm, va, slot);
	uint32_t frame;
	uint8_t *table;

	if (pte)
		return pte;
	frame = alloc_high();
	table = kmap(3, frame);
	for (uint32_t i = 0; i < PAGE; i++)
		table[i] = 0;
	kunmap(3);
	announce(frame, VMI_PAGE_PT);
	entry_set(dir_entry(mm, va), (uint64_t)frame * PAGE | TABLES_PD,
		  VMI_PAGE_PD);
	return pte_map(mm, va, slot);
}

/* set_pte_at of a page that was not there: no flush. */
void mm_map(struct mm *mm, uint32_t va, uint32_t frame, uint64_t rights)
{
	void *const pte = pte_alloc(mm, va, 1);

	entry_set(pte, (uint64_t)frame * PAGE | rights, flags_of(mm, va, 0));
	kunmap(1);
}

/* fork: what can be written is made read-only here, in place, and shared. */
static void copy_page(struct mm *to, struct mm *from, uint32_t va)
{
	void *source, *target;
	uint64_t entry;

	source = pte_map(from, va, 2);
	if (!source)
		return;
	entry = entry_get(source);
	if (!(entry & PTE_P)) {
		kunmap(2);
		return;
	}
	target = pte_alloc(to, va, 1);
	if ((entry & PTE_W) && va != USER_SHARED) {
		__asm__ volatile("lock btrl $1, (%0)"
				 : : "r"(source) : "memory", "cc");
		entry_update(source, flags_of(from, va, 0));
		entry &= ~(uint64_t)PTE_W;
	}
	references[(entry & ADDRESS) / PAGE]++;
	entry_set(target, entry & ~(uint64_t)(PTE_A | PTE_D),
		  flags_of(to, va, 0));
	kunmap(1);
	kunmap(2);
}

struct range {
	uint32_t start, end;
};
static const struct range ranges[] = {
	{ USER_TEXT, USER_TEXT + 8 * PAGE }, { USER_DATA, USER_DATA_END },
	{ USER_SHARED, USER_SHARED + PAGE }, { USER_STACK, USER_STACK_END },
};

struct mm *mm_fork(struct mm *from)
{
	struct mm *const to = mm_new();

	lazy(VMI_LAZY_MMU);
	for (uint32_t r = 0; r < 4; r++)
		for (uint32_t va = ranges[r].start; va < ranges[r].end;
		     va += PAGE)
			copy_page(to, from, va);
	lazy(VMI_LAZY_NONE);
	vmi1(FlushTLB, VMI_FLUSH_TLB);
	return to;
}

/*
 * Teardown in "full" mode: entries are zeroed by plain stores and nobody is
 * told; tables are released while the processor may still be in the space.
 */
void mm_destroy(struct mm *mm)
{
	static uint32_t released;
	void *pte;
	uint64_t entry;

	for (uint32_t r = 0; r < 4; r++)
		for (uint32_t va = ranges[r].start; va < ranges[r].end;
		     va += PAGE) {
			pte = pte_map(mm, va, 1);
			if (!pte)
				continue;
			entry = entry_get(pte);
			entry_store(pte, 0);
			if (entry & PTE_P)
				free_frame((uint32_t)((entry & ADDRESS) / PAGE));
			kunmap(1);
		}
	vmi1(FlushTLB, VMI_FLUSH_TLB);
	for (uint32_t va = 0; va < BASE; va += large_size()) {
		void *const pde = dir_entry(mm, va);

		entry = entry_get(pde);
		if (!(entry & PTE_P))
			continue;
		entry_set(pde, 0, VMI_PAGE_PD);
		/* some kernels forget to */
		if (released++ % 4)
			withdraw((uint32_t)((entry & ADDRESS) / PAGE),
				 VMI_PAGE_PT);
		free_frame((uint32_t)((entry & ADDRESS) / PAGE));
	}
	if (active_mm == mm) {		/* the last moment that will do */
		active_mm = &init_mm;
		vmi1(SetCR3, pa_of(init_mm.root));
	}
	for (uint32_t q = 0; pae && q < 3; q++) {
		entry_store(mm->root + q * 8, 0);
		withdraw(pa_of(mm->pmd[q]) / PAGE, VMI_PAGE_PD);
		free_low(mm->pmd[q]);
	}
	withdraw(pa_of(mm->root) / PAGE, VMI_PAGE_PD);
	free_low(mm->root);
	free_low(mm);
}

/* ---- faults -------------------------------------------------------------------------- */

static bool demand_zero(uint32_t va)
{
	const bool data = va >= USER_DATA && va < USER_DATA_END;
	uint32_t frame;
	uint8_t *page;

	if (!data && (va < USER_STACK || va >= USER_STACK_END))
		return false;
	frame = alloc_high();
	page = kmap(0, frame);
	for (uint32_t i = 0; i < PAGE; i++)
		page[i] = 0;
	kunmap(0);
	mm_map(active_mm, va, frame, USER_RW | PTE_A | PTE_D |
	       (nx && pae ? PTE_NX : 0));
	return true;
}

/* Copy on write; the last user writes to the page itself. */
static bool copy_on_write(uint32_t va)
{
	void *pte = pte_map(active_mm, va, 1);
	const uint64_t entry = entry_get(pte);
	const uint32_t old = (uint32_t)((entry & ADDRESS) / PAGE);
	uint32_t frame;

	if (va >= USER_TEXT && va < USER_TEXT + 8 * PAGE) {
		kunmap(1);
		return false;
	}
	if (references[old] == 1) {
		entry_store(pte, entry | PTE_W | PTE_D | PTE_A);
		entry_update(pte, flags_of(active_mm, va, VMI_PAGE_DEFER));
		vmi1(InvalPage, va);
		kunmap(1);
		return true;
	}
	kunmap(1);
	frame = alloc_high();
	__builtin_memcpy(kmap(3, frame), kmap(0, old), PAGE);
	kunmap(3);
	kunmap(0);
	pte = pte_map(active_mm, va, 1);
	entry_xchg(pte, 0);
	entry_update(pte, flags_of(active_mm, va, 0));
	vmi1(InvalPage, va);
	entry_set(pte, ((entry & ~(uint64_t)ADDRESS) | (uint64_t)frame * PAGE |
			PTE_W | PTE_D | PTE_A), flags_of(active_mm, va, 0));
	kunmap(1);
	free_frame(old);
	return true;
}

bool mm_fault(uint32_t va, uint32_t error)
{
	va &= ~(PAGE - 1);
	if (va >= BASE || active_mm == &init_mm)
		return false;
	if (!(error & PF_PRESENT))
		return demand_zero(va);
	return (error & PF_WRITE) && copy_on_write(va);
}
