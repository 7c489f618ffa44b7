// Calls that glibc declares for _GNU_SOURCE only, which Swift's Glibc module is built without.
#ifndef CLINUX_H
#define CLINUX_H

#include <spawn.h>

/// Closes every descriptor from `first` on in the child. Returns 0 or an error number.
int clinux_spawn_close_from(posix_spawn_file_actions_t *actions, int first);

/// Starts the child in the directory `path`. Returns 0 or an error number.
int clinux_spawn_chdir(posix_spawn_file_actions_t *actions, const char *path);

/// Accepts a connection as a descriptor that does not block and is not inherited; -1 with errno on failure.
int clinux_accept(int listener);

/// A descriptor that becomes readable when 8 bytes are written to it (eventfd(2)); -1 with errno on failure.
int clinux_wake_descriptor(void);

/// Lets malloc divide memory between at most `count` arenas, which threads then share; call it before there are threads
/// (mallopt(3), M_ARENA_MAX).
void clinux_limit_arenas(int count);

/// Lets malloc map blocks of at least `bytes` by themselves, so that they go back to the system when they are freed, and
/// give back what lies free at the end of the heap past four times as much. Without it glibc raises both limits to the
/// largest block it has seen (mallopt(3), M_MMAP_THRESHOLD and M_TRIM_THRESHOLD).
void clinux_return_memory(int bytes);

#endif
