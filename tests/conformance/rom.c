// SPDX-License-Identifier: GPL-2.0-only
/* The image, its two fixed entries, the top of the address space: VMI-2. */
#include "conf.h"

static const struct vmi_rom_header *h;

static uint32_t image_bytes(void)
{
	return h->length * VMI_ROM_UNIT;
}

/* A string that ends inside the image. */
static bool string_inside(uint32_t offset)
{
	if (offset < VMI_ENTRY_INIT)
		return false;
	for (; offset < image_bytes(); offset++)
		if (!rom[offset])
			return true;
	return false;
}

static bool string_is(uint32_t offset, const char *expected)
{
	const char *s = (const char *)rom + offset;

	while (*s && *s == *expected) {
		s++;
		expected++;
	}
	return *s == *expected;
}

static uint8_t sum(uint32_t offset, uint32_t bytes)
{
	uint8_t result = 0;

	while (bytes--)
		result += rom[offset++];
	return result;
}

void rom_before_init(void)
{
	const struct vmi_pci_data *pci;
	const struct vmi_pnp_header *pnp;
	const uint32_t pa = (uintptr_t)rom - LINEAR;

	h = (const void *)rom;
	pci = (const void *)(rom + h->pci);
	pnp = (const void *)(rom + h->pnp);
	point("2.1.1", pa % VMI_SCAN_STEP == 0 && pa >= VMI_SCAN_START &&
	      pa + image_bytes() <= VMI_SCAN_END,
	      "the ROM lies at a multiple of 2 KB, all of it in the range");
	point("2.1.2", h->api_major == VMI_API_MAJOR && h->license && h->pci,
	      "the ROM found satisfies signature, version, licence, PCI");
	is("2.1.3", sum(0, image_bytes()), 0, "the bytes of the image sum to 0");
	is("2.2.1", h->magic, VMI_ROM_MAGIC, "the image begins with 55 AA");
	point("2.2.1", h->length && image_bytes() >= sizeof(*h),
	      "the length holds the header");
	point("2.2.1", h->bios_init[0] == 0xeb || h->bios_init[0] == 0xe9 ||
	      h->bios_init[0] == 0xcb,
	      "offset 3 is a jump or a far return");
	is("2.2.2", h->signature, VMI_SIGNATURE, "the signature is cVmi");
	is("2.2.3", h->api_major, VMI_API_MAJOR, "API major version 3");
	point("2.2.3", h->api_minor <= VMI_API_MINOR, "API minor version");
	is("2.2.4", h->slots, 2, "two fixed entries");
	is("2.2.5", h->virtual_top % (4u << 20), 0,
	   "virtual_top is a multiple of 4 MB");
	point("2.3.1", !h->virtual_top || h->virtual_top >= LINEAR + MAPPED,
	      "virtual_top leaves the guest its kernel space");
	point("2.2.6", string_inside(h->license),
	      "the licence string ends inside the image");
	point("2.2.6", string_is(h->license, "GPL v2") ||
	      string_is(h->license, "GPL"), "the licence is GPL v2 or GPL");
	point("2.2.7", h->pci && h->pci + sizeof(*pci) <= image_bytes(),
	      "the PCI data lie inside the image");
	is("2.2.7", pci->signature, VMI_PCI_SIGNATURE, "they begin with PCIR");
	point("2.2.7", pci->vendor == VMI_PCI_VENDOR &&
	      pci->device == VMI_PCI_DEVICE, "vendor 15ADh, device 0801h");
	is("2.2.7", pci->image_length, h->length,
	   "the PCI data have the length of the image");
	is("2.2.7", pci->indicator & 0x80, 0x80, "it is the last image");
	if (!h->pnp) {
		skip("2.2.8", "the PnP header", "there is none");
		return;
	}
	point("2.2.8", pnp->signature == VMI_PNP_SIGNATURE && pnp->length * 16u
	      >= sizeof(*pnp), "the PnP header has signature and length");
	is("2.2.8", sum(h->pnp, pnp->length * 16u), 0,
	   "the bytes of the PnP header sum to 0");
	point("2.2.8", !pnp->manufacturer || string_inside(pnp->manufacturer),
	      "the manufacturer's name ends inside the image");
	point("2.2.8", !pnp->product || string_inside(pnp->product),
	      "the product's name ends inside the image");
}

/* ---- Init -------------------------------------------------------------------- */

static const struct poison pattern = {
	.eax = 0xaaaa0001, .ebx = 0xbbbb0002, .ecx = 0xcccc0003,
	.edx = 0xdddd0004, .esi = 0x55550005, .edi = 0x66660006,
	.ebp = 0x77770007, .ds = USER_DS, .es = USER_DS, .fs = USER_DS,
	.stack = { 0x11110008, 0x11110009, 0x1111000a, 0x1111000b },
};

static bool saved_kept(const struct poison *p)
{
	return p->ebx == pattern.ebx && p->esi == pattern.esi &&
	       p->edi == pattern.edi && p->ebp == pattern.ebp &&
	       p->esp_before == p->esp_after;
}

static bool segments_kept(const struct poison *p)
{
	return p->ds == pattern.ds && p->es == pattern.es &&
	       p->fs == pattern.fs && p->gs == pattern.gs &&
	       !(p->flags_after & 0x400);
}

/* What was loaded before Init, as it must be after it (VMI-2.4.3). */
static uint32_t native_cr0, native_cr3, native_cr4, native_cpuid[4];

static void cpuid_native(uint32_t leaf, uint32_t r[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
			 : "a"(leaf), "c"(0));
}

void rom_init_call(void)
{
	struct poison p = pattern;
	uint32_t count = irq0_count, cs, ss;

	image_read_only(rom, image_bytes());

	__asm__("mov %%cr0, %0" : "=r"(native_cr0));
	__asm__("mov %%cr3, %0" : "=r"(native_cr3));
	__asm__("mov %%cr4, %0" : "=r"(native_cr4));
	pit_wait();
	p.entry = (uintptr_t)rom + VMI_ENTRY_INIT;
	poisoned_call(&p);
	if (!point("2.4.2", p.eax == 0, "Init answers 0")) {
		print("Bail out! Init answered %x\n", p.eax);
		vmi0(Shutdown);
	}
	point("2.4.4", saved_kept(&p), "Init keeps ebx, esi, edi, ebp, esp");
	point("2.4.4", segments_kept(&p),
	      "Init keeps the data segments, DF is 0");
	is("2.4.6", irq0_count, count,
	   "Init delivers no interrupt, though one is pending");
	__asm__("mov %%cs, %0" : "=r"(cs));
	__asm__("mov %%ss, %0" : "=r"(ss));
	point("1.2", (cs & 3) != 3, "the kernel does not run at ring 3");
	is("1.2", ss & 3, cs & 3, "SS has the ring of CS");
	is("1.7", cs & ~3u, KERNEL_CS, "CS is the guest's selector but for RPL");
	is("1.7", ss & ~3u, KERNEL_DS, "SS is the guest's selector but for RPL");
}

/* ---- get-relocation ------------------------------------------------------------- */

static bool none_from(uint32_t first, uint32_t last)
{
	bool none = true;
	uint8_t type;

	for (uint32_t nr = first; nr <= last; nr++) {
		vmi_relocation(nr, &type);
		none &= type == VMI_RELOC_NONE;
	}
	return none;
}

static bool same_answers(void)
{
	bool same_all = true;
	uint32_t entry;
	uint8_t type;

	for (int i = 0; i < VMI_CALL_COUNT; i++) {
		entry = vmi_relocation((uint32_t)i, &type);
		same_all &= type == vmi_type[i] &&
			    (type == VMI_RELOC_NONE || type == VMI_RELOC_NOP ||
			     entry == vmi_entry[i]);
	}
	return same_all;
}

/* Whose result nobody could do without, or whose effect. */
static bool needs_code(int call)
{
	static const uint8_t may_do_nothing[] = {
		VMI_CALL_WBINVD, VMI_CALL_SetDR, VMI_CALL_UpdatePxE,
		VMI_CALL_UpdatePxELong, VMI_CALL_AllocatePage,
		VMI_CALL_ReleasePage, VMI_CALL_InvalPage, VMI_CALL_FlushTLB,
		VMI_CALL_SetLinearMapping, VMI_CALL_IODelay,
		VMI_CALL_SetLazyMode,
	};

	for (unsigned int i = 0; i < sizeof(may_do_nothing); i++)
		if (may_do_nothing[i] == call)
			return false;
	return true;
}

static bool both_or_neither(int a, int b)
{
	return offered(a) == offered(b);
}

void rom_relocation(void)
{
	const uint32_t top = h->virtual_top;
	bool known = true, jumps = true, inside = true, times = true;
	bool nops = true;
	bool kept = true, segments = true;
	uint8_t *const high = rom;
	struct poison p;
	uint8_t type;

	for (int i = 0; i < VMI_CALL_COUNT; i++) {
		known &= vmi_type[i] <= VMI_RELOC_NOP;
		nops &= vmi_type[i] != VMI_RELOC_NOP || !needs_code(i);
		jumps &= vmi_type[i] != VMI_RELOC_JUMP ||
			 i == VMI_CALL_IRET || i == VMI_CALL_SYSEXIT;
		if (vmi_type[i] == VMI_RELOC_CALL ||
		    vmi_type[i] == VMI_RELOC_JUMP)
			inside &= top && vmi_entry[i] >= top ?
				  true : vmi_entry[i] - (uintptr_t)rom <
				  image_bytes();
		p = pattern;
		p.eax = (uint32_t)i;
		p.entry = (uintptr_t)rom + VMI_ENTRY_RELOC;
		poisoned_call(&p);
		kept &= saved_kept(&p);
		segments &= segments_kept(&p);
	}
	point("2.5.2", known, "every answer is of a known type");
	point("2.5.3", jumps, "only IRET and SYSEXIT are jumps");
	is("2.5.3", vmi_type[VMI_CALL_IRET], VMI_RELOC_JUMP, "IRET is a jump");
	is("2.5.3", vmi_type[VMI_CALL_SYSEXIT], VMI_RELOC_JUMP,
	   "SYSEXIT is a jump");
	point("2.5.4", nops, "no call with a result or an effect is a nop");
	point("2.5.5", inside, "addresses lie in the image or above virtual_top");
	point("2.5.8", offered(VMI_CALL_IRET), "IRET is not none");
	point("2.5.8", offered(VMI_CALL_SYSEXIT), "SYSEXIT is not none");
	point("2.5.6", same_answers(), "get-relocation answers the same again");
	vmi0(EnableInterrupts);
	point("2.5.6", same_answers(), "and with interrupts on");
	vmi0(DisableInterrupts);
	for (uint32_t mode = VMI_LAZY_MMU; mode <= VMI_LAZY_CPU; mode++) {
		vmi1(SetLazyMode, mode);
		known &= same_answers();
		vmi1(SetLazyMode, VMI_LAZY_NONE);
	}
	point("2.5.6", known, "and in the lazy modes");
	point("2.5.7", none_from(49, 60), "numbers 49 to 60 have type none");
	point("2.5.7", none_from(72, 72), "number 72 has type none");
	point("2.5.7", none_from(76, 300), "numbers 76 to 300 have type none");
	point("2.5.7", none_from(0x100, 0x100) && none_from(0x10000, 0x10040),
	      "numbers that look small in 8 or 16 bits have type none");
	vmi_relocation(0xffffffff, &type);
	is("2.5.7", type, VMI_RELOC_NONE, "number -1 has type none");
	vmi_relocation(0x80000000, &type);
	is("2.5.7", type, VMI_RELOC_NONE, "number 80000000h has type none");
	vmi_relocation(0x80000000 + VMI_CALL_SetInterruptMask, &type);
	is("3.2.99", type, VMI_RELOC_NONE, "nor do high bits wrap");
	for (int i = VMI_CALL_GetCycleCounter; i <= VMI_CALL_GetWallclockTime;
	     i++)
		times &= offered(i) || !offered(VMI_CALL_GetCycleFrequency);
	point("2.5.9", times, "the time calls come together");
	point("2.5.9", both_or_neither(VMI_CALL_GetInterruptMask,
				       VMI_CALL_SetInterruptMask),
	      "Get and SetInterruptMask come together");
	point("2.5.9", both_or_neither(VMI_CALL_EnableInterrupts,
				       VMI_CALL_DisableInterrupts),
	      "Enable and Disable come together");
	point("2.5.10", kept, "get-relocation keeps ebx, esi, edi, ebp, esp");
	point("2.5.10", segments, "get-relocation keeps segments, DF is 0");

	/* the image is mapped at its physical address too */
	rom -= LINEAR;
	known = !top;
	if (top)
		known = same_answers();
	rom = high;
	if (top)
		point("2.4.5", known,
		      "get-relocation answers the same wherever it is mapped");
	else
		skip("2.4.5", "get-relocation answers the same wherever it is mapped",
		     "virtual_top is 0: the working copy is the image");
}

/* Whoever wrote to it has met a page fault on the way here. */
void rom_after_all(void)
{
	is("2.3.4", sum(0, image_bytes()), 0,
	   "all calls work with an image that cannot be written");
}

/* ---- the top of the address space -------------------------------------------------- */

void rom_top(void)
{
	const uint32_t top = h->virtual_top;
	bool reads = true, users = true, writes = true;
	uint32_t r[4];

	is_of(GetCR0, "2.4.3", vmi0(GetCR0), native_cr0,
	      "CR0 is as it was before Init");
	is_of(GetCR3, "2.4.3", vmi0(GetCR3), native_cr3,
	      "CR3 is as it was before Init");
	is_of(GetCR4, "2.4.3", vmi0(GetCR4), native_cr4,
	      "CR4 is as it was before Init");
	cpuid_native(1, native_cpuid);
	vmi_cpuid(1, r);
	point_of(VMI_CALL_CPUID, "1.6", !((r[3] ^ native_cpuid[3]) &
					  (1 << 3 | 1 << 6 | 1 << 9 | 1 << 11 |
					   1 << 13 | 1 << 15)),
		 "both CPUIDs agree on PSE, PAE, APIC, SEP, PGE, CMOV");
	if (!top) {
		skip("2.3.2", "pages above virtual_top", "virtual_top is 0");
		skip("2.3.3", "user mode above virtual_top",
		     "virtual_top is 0");
		return;
	}
	for (uint32_t va = top; va >= top; va += 16 * PAGE) {
		if (probe_read(va) != -1)
			reads &= last_trap.vector == VEC_PF &&
				 last_cr2 == va && last_trap.error == 0;
		user_run(u_read, 0, va);
		users &= last_trap.vector == VEC_PF && last_cr2 == va &&
			 (last_trap.error & ~PF_PRESENT) == PF_USER;
		user_run(u_write, 0, va);
		writes &= last_trap.vector == VEC_PF && last_cr2 == va &&
			 (last_trap.error & ~PF_PRESENT) ==
			 (PF_USER | PF_WRITE);
	}
	point("2.3.2", reads, "what is not there is a page that is not present");
	probe_write(top);
	is("2.3.2", last_trap.vector, VEC_PF, "the ROM's code cannot be written");
	point("2.3.3", users, "user mode cannot read above virtual_top");
	point("2.3.3", writes, "user mode cannot write above virtual_top");
	is("2.3.2", probe_read(0xfffffffc), VEC_PF,
	   "the last word of the space is absent");
}
