/*
 * A disk that goes wrong on demand, preloaded into the broker by tests/api/trouble.rs.
 *
 * While the file that FAULT_CONTROL names holds "write ERRNO" or "sync ERRNO", writing to (or syncing) any file whose
 * path has "broker.db" in it fails with that number. Without the file everything is as it always is.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int is_database(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strstr(path, "broker.db") != NULL;
}

/* The errno to fail with, or 0. Past libc, so that nothing here calls itself. */
static int fault(const char *what, int fd) {
    const char *control = getenv("FAULT_CONTROL");
    if (!control) return 0;
    int file = (int)syscall(SYS_openat, AT_FDCWD, control, O_RDONLY, 0);
    if (file < 0) return 0;
    char text[32] = {0}, kind[16];
    int number = 0;
    syscall(SYS_read, file, text, sizeof text - 1);
    syscall(SYS_close, file);
    if (sscanf(text, "%15s %d", kind, &number) != 2 || strcmp(kind, what) != 0) return 0;
    return is_database(fd) ? number : 0;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAILS(what, fd)                  \
    do {                                 \
        int number = fault(what, fd);    \
        if (number) {                    \
            errno = number;              \
            return -1;                   \
        }                                \
    } while (0)

ssize_t write(int fd, const void *bytes, size_t length) {
    FAILS("write", fd);
    return REAL(write)(fd, bytes, length);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
    FAILS("write", fd);
    return REAL(pwrite)(fd, bytes, length, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
    FAILS("write", fd);
    return REAL(pwrite64)(fd, bytes, length, at);
}

int ftruncate(int fd, off_t length) {
    FAILS("write", fd);
    return REAL(ftruncate)(fd, length);
}

int ftruncate64(int fd, off64_t length) {
    FAILS("write", fd);
    return REAL(ftruncate64)(fd, length);
}

int fsync(int fd) {
    FAILS("sync", fd);
    return REAL(fsync)(fd);
}

int fdatasync(int fd) {
    FAILS("sync", fd);
    return REAL(fdatasync)(fd);
}
