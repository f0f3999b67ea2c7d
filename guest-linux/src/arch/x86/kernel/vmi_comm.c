// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shared variables (spec/neighbours.md, N-5): whoever manages this guest may ask it
 * to end, which is done in order, as by "poweroff", unless /sys/hypervisor/lock says
 * 1; and sees its state there. There is no interrupt: we look once a second. That
 * timer is none that waits until the processor has something else to do: a guest that
 * is idle has to answer, too.
 */
#define pr_fmt(fmt) "VMI: " fmt

#include <linux/io.h>
#include <linux/kobject.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/panic_notifier.h>
#include <linux/reboot.h>
#include <linux/sysfs.h>
#include <linux/timer.h>
#include <linux/workqueue.h>

#include <asm/vmi_hypercall.h>

#include "vmi_client.h"

static struct vmi_comm *comm;
static bool locked;
static DEFINE_MUTEX(vmi_comm_lock);	/* nobody locks while we approve */

/* One of those that stay, too. */
static void vmi_comm_state(u32 state)
{
	WRITE_ONCE(comm->state, state);
}

static void vmi_comm_reply(u32 reply)
{
	WRITE_ONCE(comm->message, VMI_MSG_NONE);
	smp_wmb();			/* N-5.4: in this order */
	WRITE_ONCE(comm->reply, reply);
}

static void vmi_comm_look(void)
{
	switch (READ_ONCE(comm->message)) {
	case VMI_MSG_NONE:
		break;
	case VMI_MSG_SHUTDOWN:
		if (locked) {
			vmi_comm_reply(VMI_REPLY_DENIED);
			break;
		}
		pr_info("asked to shut down\n");
		vmi_comm_reply(VMI_REPLY_APPROVED);
		orderly_poweroff(true);
		break;
	case VMI_MSG_RECONFIGURED:
		vmi_comm_reply(VMI_REPLY_RECEIVED);
		break;
	default:
		vmi_comm_reply(VMI_REPLY_UNKNOWN);
	}
}

static void vmi_comm_poll(struct work_struct *work);
static DECLARE_DELAYED_WORK(vmi_comm_work, vmi_comm_poll);

static void vmi_comm_poll(struct work_struct *work)
{
	mutex_lock(&vmi_comm_lock);
	vmi_comm_look();
	mutex_unlock(&vmi_comm_lock);
	schedule_delayed_work(&vmi_comm_work, round_jiffies_relative(HZ));
}

/* ---- /sys/hypervisor/lock --------------------------------------------------- */

static ssize_t lock_show(struct kobject *kobj, struct kobj_attribute *attr,
			 char *page)
{
	return sysfs_emit(page, "%u\n", locked);
}

static ssize_t lock_store(struct kobject *kobj, struct kobj_attribute *attr,
			  const char *text, size_t count)
{
	bool on;
	int err = kstrtobool(text, &on);

	if (err)
		return err;
	mutex_lock(&vmi_comm_lock);
	locked = on;
	vmi_comm_state(on ? VMI_STATE_LOCKED : VMI_STATE_RUNNING);
	mutex_unlock(&vmi_comm_lock);
	return count;
}

static struct kobj_attribute lock_attribute = __ATTR_RW(lock);

/* ---- the end ------------------------------------------------------------- */

void vmi_comm_ends(void)
{
	if (comm)
		vmi_comm_state(VMI_STATE_SHUT_DOWN);
}

static int vmi_comm_panics(struct notifier_block *nb, unsigned long how,
			   void *arg)
{
	vmi_comm_state(VMI_STATE_FAILED);
	return NOTIFY_DONE;
}

static struct notifier_block vmi_comm_panic = {
	.notifier_call = vmi_comm_panics,
};

static int __init vmi_comm_init(void)
{
	u32 leaf[4];
	u64 at;

	vmi_hypervisor_leaf(VMI_CPUID_COMM, leaf);
	at = (u64)leaf[1] << 32 | leaf[0];
	if (!at)
		return 0;
	comm = memremap(at, PAGE_SIZE, MEMREMAP_WB);
	if (!comm)
		return -ENOMEM;
	if (memcmp(comm->signature, VMI_COMM_SIGNATURE,
		   sizeof(comm->signature)) ||
	    comm->revision != VMI_COMM_REVISION) {
		pr_warn("shared variables of another kind\n");
		vmi_comm_state(VMI_STATE_ABI_MISMATCH);
		return -ENODEV;
	}
	atomic_notifier_chain_register(&panic_notifier_list, &vmi_comm_panic);
	schedule_delayed_work(&vmi_comm_work, HZ);
	return sysfs_create_file(hypervisor_kobj, &lock_attribute.attr);
}
device_initcall(vmi_comm_init);
