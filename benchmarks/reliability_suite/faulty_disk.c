/* A disk with troubles, for one program: loaded by LD_PRELOAD, it lets calls on files below FAULTY_PLACE
   fail with the error number FAULTY_ERRNO, a share FAULTY_SHARE of them, from a seed. ENOSPC fails
   what needs room, EROFS whatever writes, EIO also what reads. FAULTY_AFTER calls go well first. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READS = 1, NEEDS_ROOM = 2, CHANGES = 4 };

static int fails(const char *path, int what) {
    static unsigned int seed;
    static long calls = 0;
    const char *place = getenv("FAULTY_PLACE"), *number = getenv("FAULTY_ERRNO");
    if (!place || !number || !path || strncmp(path, place, strlen(place)) != 0) return 0;
    int error = atoi(number);
    int touched = error == EIO ? 7 : error == EROFS ? NEEDS_ROOM | CHANGES : NEEDS_ROOM;
    if (!(what & touched)) return 0;
    if (calls == 0) seed = (unsigned int)atoi(getenv("FAULTY_SEED"));
    if (++calls <= atol(getenv("FAULTY_AFTER"))) return 0;
    if (rand_r(&seed) / (RAND_MAX + 1.0) >= atof(getenv("FAULTY_SHARE"))) return 0;
    errno = error;
    return 1;
}

static int descriptor_fails(int fd, int what) {
    struct stat found;
    char link[64], path[4096];
    if (fstat(fd, &found) || !S_ISREG(found.st_mode)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return fails(path, what);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define OPENER(name) \
    int name(const char *path, int flags, ...) { \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = va_arg(rest, mode_t); \
        va_end(rest); \
        int what = flags & O_CREAT ? NEEDS_ROOM : flags & (O_WRONLY | O_RDWR) ? CHANGES : READS; \
        return fails(path, what) ? -1 : REAL(name)(path, flags, mode); \
    }
OPENER(open)
OPENER(open64)

ssize_t write(int fd, const void *data, size_t size) {
    return descriptor_fails(fd, NEEDS_ROOM) ? -1 : REAL(write)(fd, data, size);
}
ssize_t read(int fd, void *data, size_t size) {
    return descriptor_fails(fd, READS) ? -1 : REAL(read)(fd, data, size);
}
int fsync(int fd) { return descriptor_fails(fd, NEEDS_ROOM) ? -1 : REAL(fsync)(fd); }
int rename(const char *from, const char *to) {
    return fails(to, CHANGES) ? -1 : REAL(rename)(from, to);
}
int unlink(const char *path) { return fails(path, CHANGES) ? -1 : REAL(unlink)(path); }
int mkdir(const char *path, mode_t mode) {
    return fails(path, NEEDS_ROOM) ? -1 : REAL(mkdir)(path, mode);
}
int ftruncate(int fd, off_t size) {
    return descriptor_fails(fd, CHANGES) ? -1 : REAL(ftruncate)(fd, size);
}
int ftruncate64(int fd, off64_t size) {
    return descriptor_fails(fd, CHANGES) ? -1 : REAL(ftruncate64)(fd, size);
}
