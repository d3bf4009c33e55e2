/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which processes hold something.
 */
#include "holders.h"

#include "sys.h"

static bool is_listed(struct holders *holders, pid_t pid)
{
	for (int i = 0; i < HOLDERS_ROOM; i++) {
		if (atomic_load(&holders->pids[i]) == pid) {
			return true;
		}
	}
	return false;
}

void holders_add(struct holders *holders, pid_t pid)
{
	if (is_listed(holders, pid)) {
		return;
	}
	for (int i = 0; i < HOLDERS_ROOM; i++) {
		int32_t none = 0;
		if (atomic_compare_exchange_strong(&holders->pids[i], &none, pid)) {
			return;
		}
	}
	atomic_fetch_add(&holders->n_more, 1);
}

bool holders_forget(struct holders *holders, pid_t pid)
{
	for (int i = 0; i < HOLDERS_ROOM; i++) {
		int32_t mine = pid;
		if (atomic_compare_exchange_strong(&holders->pids[i], &mine, 0)) {
			return true;
		}
	}
	return false;
}

void holders_remove(struct holders *holders, pid_t pid)
{
	if (!holders_forget(holders, pid) && atomic_load(&holders->n_more) > 0) {
		atomic_fetch_sub(&holders->n_more, 1);
	}
}

bool holders_besides(struct holders *holders, pid_t but)
{
	if (atomic_load(&holders->n_more) > 0) {
		return true;
	}
	for (int i = 0; i < HOLDERS_ROOM; i++) {
		int32_t pid = atomic_load(&holders->pids[i]);
		if (pid && sys_is_gone(pid)) {
			atomic_compare_exchange_strong(&holders->pids[i], &pid, 0);
		} else if (pid && pid != but) {
			return true;
		}
	}
	return false;
}

bool holders_has(struct holders *holders, pid_t pid)
{
	return is_listed(holders, pid) && !sys_is_gone(pid);
}
