// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/hypervisor of a VMI guest: who made the ROM, and under counters/ what
 * the OpenVMI hypervisor counts, if it is the one.
 */
#include <linux/kobject.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include <asm/processor.h>
#include <asm/vmi_stub_cpuid.h>

#include "vmi_client.h"

#define vmi_attribute(name, fmt, ...)					\
static ssize_t name##_show(struct kobject *kobj,			\
			   struct kobj_attribute *attr, char *page)	\
{									\
	const struct vmi_pnp_header *pnp __maybe_unused =		\
		vmi_rom_struct(vmi_rom->pnp);				\
	const struct vmi_pci_data *pci __maybe_unused =			\
		vmi_rom_struct(vmi_rom->pci);				\
									\
	return sysfs_emit(page, fmt "\n", ##__VA_ARGS__);		\
}									\
static struct kobj_attribute name##_attribute = __ATTR_RO(name)

vmi_attribute(type, "vmi");
vmi_attribute(vendor, "%s", vmi_rom_string(pnp ? pnp->manufacturer : 0));
vmi_attribute(product, "%s", vmi_rom_string(pnp ? pnp->product : 0));
vmi_attribute(api_version, "%u.%u", vmi_rom->api_major, vmi_rom->api_minor);
vmi_attribute(rom_version, "%u.%u", pci->rom_major, pci->rom_minor);
vmi_attribute(ring, "%u", vmi_ring());

static const struct attribute *vmi_attributes[] = {
	&type_attribute.attr,
	&vendor_attribute.attr,
	&product_attribute.attr,
	&api_version_attribute.attr,
	&rom_version_attribute.attr,
	&ring_attribute.attr,
	NULL
};

/* ---- counters of the OpenVMI hypervisor -------------------------------- */

struct vmi_counter {
	struct kobj_attribute attribute;
	u32 index;
	u32 name[5];		/* 16 bytes of CPUID and a terminator */
};

static ssize_t counter_show(struct kobject *kobj,
			    struct kobj_attribute *attr, char *page)
{
	struct vmi_counter *counter =
		container_of(attr, struct vmi_counter, attribute);
	u32 low, high, unused;

	cpuid(STUB_CPUID_COUNTERS + counter->index, &low, &unused, &unused,
	      &high);
	return sysfs_emit(page, "%llu\n", (u64)high << 32 | low);
}

static bool __init vmi_has_counters(void)
{
	u32 leaf[4];

	vmi_hypervisor_leaf(STUB_CPUID_COUNTERS, leaf);
	return leaf[2];
}

static int __init vmi_add_counter(struct kobject *dir, u32 index)
{
	struct vmi_counter *counter = kzalloc(sizeof(*counter), GFP_KERNEL);
	u32 *name;

	if (!counter)
		return -ENOMEM;
	name = counter->name;
	counter->index = index;
	cpuid(STUB_CPUID_NAMES + index, &name[0], &name[1], &name[2], &name[3]);
	sysfs_attr_init(&counter->attribute.attr);
	counter->attribute.attr.name = (char *)name;
	counter->attribute.attr.mode = 0444;
	counter->attribute.show = counter_show;
	return sysfs_create_file(dir, &counter->attribute.attr);
}

static int __init vmi_add_counters(void)
{
	struct kobject *dir;
	u32 i, count, unused;
	int err = 0;

	dir = kobject_create_and_add("counters", hypervisor_kobj);
	if (!dir)
		return -ENOMEM;
	cpuid(STUB_CPUID_COUNTERS, &unused, &unused, &count, &unused);
	for (i = 0; i < count && !err; i++)
		err = vmi_add_counter(dir, i);
	return err;
}

static int __init vmi_sysfs_init(void)
{
	int err;

	if (!vmi_rom)
		return 0;
	err = sysfs_create_files(hypervisor_kobj, vmi_attributes);
	if (!err && vmi_has_counters())
		err = vmi_add_counters();
	return err;
}
device_initcall(vmi_sysfs_init);
