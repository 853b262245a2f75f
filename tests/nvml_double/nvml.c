/* libnvidia-ml.so.1, played from a script: the part of NVML's ABI that nodemend and its rivals call.
 *
 * Structures and codes are those of nvml.h (CUDA 12.2). Which functions exist is decided when it is
 * built, since that is what a program finds a driver's ABI out by:
 *   V3_BYTES       0: no *_v3 lists (535.98, and before 510); 24; 32 (535.43 to 535.86)
 *   CONF_COMPUTE   nvmlDeviceGetConfComputeMemSizeInfo is there (535 and later)
 *   DETAIL_LIST    nvmlDeviceGetRunningProcessDetailList is there (535.104 and later)
 *   V2             the *_v2 lists are there
 *
 * The script, named by NVML_DOUBLE, is looked at anew with each call; one statement a line:
 *   driver VERSION
 *   gpu UUID TOTAL_MIB RESERVED_MIB USED_MIB NAME ...
 *   process GPU LIST PID MIB|na [PEAK_MIB]    LIST: C compute, G graphics, M MPS; GPU: an index
 *   instance GPU PID GI CI                    of all entries of this process, below
 *   mode GPU COMPUTE_MODE PERSISTENCE ACCOUNTING
 *   xid GPU CODE                              told once
 *   lost GPU                                  as one that fell off the bus
 *   fail FUNCTION CODE      hang FUNCTION     crash FUNCTION
 *   race TIMES                                so many lists find that a process came meanwhile
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SUCCESS = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6,
       INSUFFICIENT_SIZE = 7, DRIVER_NOT_LOADED = 9, TIMEOUT = 10, GPU_IS_LOST = 15,
       ARGUMENT_VERSION_MISMATCH = 25 };
enum { GPUS = 16, ENTRIES = 2048, RULES = 32, XIDS = 256 };
#define MIB (1024ULL * 1024ULL)
#define NOT_AVAILABLE (~0ULL)
#define NO_INSTANCE 0xFFFFFFFFu

typedef unsigned long long u64;
struct device {
    char uuid[96], name[96];
    u64 total, reserved, used;
    int compute_mode, persistence, accounting, is_lost;
};
struct entry { int gpu; char list; unsigned pid; u64 used, peak; unsigned gi, ci; };
struct rule { char what, function[96]; int code; };
struct xid { int gpu; u64 code; };

static struct device devices[GPUS];
static struct entry entries[ENTRIES];
static struct rule rules[RULES];
static struct xid xids[XIDS];
static int gpus, listed, ruled, xids_known, xids_told, races, initialised;
static char driver[80];
static struct stat seen;

static u64 mib(const char *text)
{
    return strcmp(text, "na") ? strtoull(text, NULL, 10) * MIB : NOT_AVAILABLE;
}

static void statement(const char *line)
{
    char a[96] = "", b[96] = "", c[96] = "";
    int gpu, one, two, three;
    u64 total, reserved, used;
    if (sscanf(line, "driver %79s", driver) == 1)
        return;
    if (sscanf(line, "gpu %95s %llu %llu %llu %95[^\n]", a, &total, &reserved, &used, b) == 5 &&
        gpus < GPUS) {
        struct device *d = &devices[gpus++];
        memset(d, 0, sizeof *d);
        strcpy(d->uuid, a);
        strcpy(d->name, b);
        d->total = total * MIB, d->reserved = reserved * MIB, d->used = used * MIB;
    } else if (sscanf(line, "process %d %1s %d %95s %95s", &gpu, a, &one, b, c) >= 4 &&
               listed < ENTRIES) {
        struct entry e = { gpu, a[0], (unsigned)one, mib(b), c[0] ? mib(c) : 0,
                           NO_INSTANCE, NO_INSTANCE };
        entries[listed++] = e;
    } else if (sscanf(line, "instance %d %d %d %d", &gpu, &one, &two, &three) == 4) {
        for (int i = 0; i < listed; i++)
            if (entries[i].gpu == gpu && entries[i].pid == (unsigned)one)
                entries[i].gi = (unsigned)two, entries[i].ci = (unsigned)three;
    } else if (sscanf(line, "mode %d %d %d %d", &gpu, &one, &two, &three) == 4 && gpu < gpus) {
        devices[gpu].compute_mode = one, devices[gpu].persistence = two;
        devices[gpu].accounting = three;
    } else if (sscanf(line, "xid %d %llu", &gpu, &total) == 2 && xids_known < XIDS) {
        struct xid x = { gpu, total };
        xids[xids_known++] = x;
    } else if (sscanf(line, "lost %d", &gpu) == 1 && gpu < gpus) {
        devices[gpu].is_lost = 1;
    } else if (sscanf(line, "race %d", &one) == 1) {
        races = one;
    } else if (ruled < RULES && (sscanf(line, "fail %95s %d", a, &one) == 2)) {
        rules[ruled].what = 'f', rules[ruled].code = one;
        strcpy(rules[ruled++].function, a);
    } else if (ruled < RULES && (sscanf(line, "hang %95s", a) == 1)) {
        rules[ruled].what = 'h';
        strcpy(rules[ruled++].function, a);
    } else if (ruled < RULES && (sscanf(line, "crash %95s", a) == 1)) {
        rules[ruled].what = 'c';
        strcpy(rules[ruled++].function, a);
    }
}

static void look(void)
{
    const char *path = getenv("NVML_DOUBLE");
    struct stat now;
    char line[512];
    if (!path || stat(path, &now))
        return;
    if (now.st_ino == seen.st_ino && now.st_mtim.tv_nsec == seen.st_mtim.tv_nsec &&
        now.st_mtim.tv_sec == seen.st_mtim.tv_sec)
        return;
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    int is_first = !seen.st_ino;
    seen = now;
    gpus = listed = ruled = xids_known = races = 0;
    while (fgets(line, sizeof line, file))
        statement(line);
    fclose(file);
    if (is_first)
        xids_told = xids_known; /* what was before nobody is told of */
}

/* What the script has for a function: a code to fail with, a hang, a crash; or 0. */
static int enter(const char *function)
{
    look();
    for (int i = 0; i < ruled; i++) {
        if (strcmp(rules[i].function, function))
            continue;
        if (rules[i].what == 'f')
            return rules[i].code;
        if (rules[i].what == 'c')
            raise(SIGSEGV);
        for (;;)
            pause();
    }
    return 0;
}

#define ENTER(function)                        \
    do {                                       \
        int code = enter(function);            \
        if (code)                              \
            return code;                       \
        if (!initialised)                      \
            return UNINITIALIZED;              \
    } while (0)

static int index_of(void *handle)
{
    long index = (struct device *)handle - devices;
    return index >= 0 && index < gpus ? (int)index : -1;
}

#define DEVICE(handle)                         \
    int gpu = index_of(handle);                \
    if (gpu < 0)                               \
        return INVALID_ARGUMENT;               \
    if (devices[gpu].is_lost)                  \
        return GPU_IS_LOST

int nvmlInitWithFlags(unsigned flags)
{
    (void)flags;
    int code = enter("nvmlInit");
    if (code)
        return code;
    if (!driver[0])
        return DRIVER_NOT_LOADED;
    initialised = 1;
    return SUCCESS;
}

int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlInit(void) { return nvmlInitWithFlags(0); }

int nvmlShutdown(void)
{
    ENTER("nvmlShutdown");
    initialised = 0;
    return SUCCESS;
}

const char *nvmlErrorString(int code)
{
    switch (code) {
    case 0: return "Success";
    case 3: return "Not Supported";
    case 4: return "Insufficient Permissions";
    case 7: return "Insufficient Size";
    case 9: return "Driver Not Loaded";
    case 10: return "Timeout";
    case 13: return "Function Not Found";
    case 15: return "GPU is lost";
    case 16: return "GPU requires reset";
    case 18: return "RM has detected an NVML/RM version mismatch.";
    default: return "Unknown Error";
    }
}

static int text(char *into, unsigned bytes, const char *words)
{
    if (strlen(words) >= bytes)
        return INSUFFICIENT_SIZE;
    strcpy(into, words);
    return SUCCESS;
}

int nvmlSystemGetDriverVersion(char *into, unsigned bytes)
{
    ENTER("nvmlSystemGetDriverVersion");
    return text(into, bytes, driver);
}

int nvmlSystemGetNVMLVersion(char *into, unsigned bytes)
{
    ENTER("nvmlSystemGetNVMLVersion");
    return text(into, bytes, driver);
}

int nvmlSystemGetCudaDriverVersion_v2(int *version)
{
    ENTER("nvmlSystemGetCudaDriverVersion");
    *version = 12020;
    return SUCCESS;
}

int nvmlSystemGetCudaDriverVersion(int *version)
{
    return nvmlSystemGetCudaDriverVersion_v2(version);
}

int nvmlDeviceGetCount_v2(unsigned *count)
{
    ENTER("nvmlDeviceGetCount");
    *count = (unsigned)gpus;
    return SUCCESS;
}

int nvmlDeviceGetCount(unsigned *count) { return nvmlDeviceGetCount_v2(count); }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle)
{
    ENTER("nvmlDeviceGetHandleByIndex");
    if ((int)index >= gpus)
        return INVALID_ARGUMENT;
    *handle = &devices[index];
    return SUCCESS;
}

int nvmlDeviceGetHandleByIndex(unsigned index, void **handle)
{
    return nvmlDeviceGetHandleByIndex_v2(index, handle);
}

int nvmlDeviceGetHandleByUUID(const char *uuid, void **handle)
{
    ENTER("nvmlDeviceGetHandleByUUID");
    for (int i = 0; i < gpus; i++)
        if (!strcmp(devices[i].uuid, uuid)) {
            *handle = &devices[i];
            return SUCCESS;
        }
    return NOT_FOUND;
}

int nvmlDeviceGetIndex(void *handle, unsigned *index)
{
    ENTER("nvmlDeviceGetIndex");
    DEVICE(handle);
    *index = (unsigned)gpu;
    return SUCCESS;
}

int nvmlDeviceGetUUID(void *handle, char *into, unsigned bytes)
{
    ENTER("nvmlDeviceGetUUID");
    DEVICE(handle);
    return text(into, bytes, devices[gpu].uuid);
}

int nvmlDeviceGetName(void *handle, char *into, unsigned bytes)
{
    ENTER("nvmlDeviceGetName");
    DEVICE(handle);
    return text(into, bytes, devices[gpu].name);
}

/* nvmlMemory_t counts what is reserved as used. */
int nvmlDeviceGetMemoryInfo(void *handle, u64 *memory)
{
    ENTER("nvmlDeviceGetMemoryInfo");
    DEVICE(handle);
    struct device *d = &devices[gpu];
    memory[0] = d->total;
    memory[1] = d->total - d->reserved - d->used;
    memory[2] = d->reserved + d->used;
    return SUCCESS;
}

struct memory_v2 { unsigned version; u64 total, reserved, free, used; };

int nvmlDeviceGetMemoryInfo_v2(void *handle, struct memory_v2 *memory)
{
    ENTER("nvmlDeviceGetMemoryInfo_v2");
    DEVICE(handle);
    struct device *d = &devices[gpu];
    if (memory->version != (sizeof *memory | 2u << 24))
        return ARGUMENT_VERSION_MISMATCH;
    memory->total = d->total, memory->reserved = d->reserved, memory->used = d->used;
    memory->free = d->total - d->reserved - d->used;
    return SUCCESS;
}

int nvmlDeviceGetComputeMode(void *handle, int *mode)
{
    ENTER("nvmlDeviceGetComputeMode");
    DEVICE(handle);
    *mode = devices[gpu].compute_mode;
    return SUCCESS;
}

int nvmlDeviceGetPersistenceMode(void *handle, int *mode)
{
    ENTER("nvmlDeviceGetPersistenceMode");
    DEVICE(handle);
    *mode = devices[gpu].persistence;
    return SUCCESS;
}

int nvmlDeviceGetAccountingMode(void *handle, int *mode)
{
    ENTER("nvmlDeviceGetAccountingMode");
    DEVICE(handle);
    *mode = devices[gpu].accounting;
    return SUCCESS;
}

struct accounting { unsigned gpu, memory; u64 peak, time, start; unsigned running, reserved[5]; };

/* A process that ended stays in the buffer: its line is one of the list X. */
int nvmlDeviceGetAccountingStats(void *handle, unsigned pid, struct accounting *stats)
{
    ENTER("nvmlDeviceGetAccountingStats");
    DEVICE(handle);
    for (int i = 0; i < listed; i++)
        if (entries[i].gpu == gpu && entries[i].pid == pid && devices[gpu].accounting) {
            memset(stats, 0, sizeof *stats);
            stats->peak = entries[i].peak;
            stats->running = entries[i].list != 'X';
            return SUCCESS;
        }
    return devices[gpu].accounting ? NOT_FOUND : NOT_SUPPORTED;
}

static int list(void *handle, char kind, unsigned *count, char *into, size_t bytes)
{
    DEVICE(handle);
    unsigned needed = 0, room = into ? *count : 0;
    for (int i = 0; i < listed; i++)
        needed += entries[i].gpu == gpu && entries[i].list == kind;
    if (needed && races > 0 && into) {
        races--;
        *count = room + 1;
        return INSUFFICIENT_SIZE;
    }
    *count = needed;
    if (needed > room)
        return INSUFFICIENT_SIZE;
    for (int i = 0; i < listed; i++) {
        struct entry *e = &entries[i];
        if (e->gpu != gpu || e->list != kind)
            continue;
        memset(into, 0, bytes);
        memcpy(into, &e->pid, 4);
        memcpy(into + 8, &e->used, 8);
        if (bytes >= 24) {
            memcpy(into + 16, &e->gi, 4);
            memcpy(into + 20, &e->ci, 4);
        }
        into += bytes;
    }
    return SUCCESS;
}

#define LIST(name, suffix, kind, bytes)                                                       \
    int nvmlDeviceGet##name##RunningProcesses##suffix(void *handle, unsigned *count, void *to) \
    {                                                                                         \
        ENTER("nvmlDeviceGet" #name "RunningProcesses");                                      \
        return list(handle, kind, count, to, bytes);                                          \
    }
#define LISTS(suffix, bytes)           \
    LIST(Compute, suffix, 'C', bytes)  \
    LIST(Graphics, suffix, 'G', bytes) \
    LIST(MPSCompute, suffix, 'M', bytes)

LISTS(, 16)
#if V2
LISTS(_v2, 24)
#endif
#if V3_BYTES
LISTS(_v3, V3_BYTES)
#endif
#if CONF_COMPUTE
int nvmlDeviceGetConfComputeMemSizeInfo(void *handle, void *info)
{
    (void)handle, (void)info;
    return NOT_SUPPORTED;
}
#endif
#if DETAIL_LIST
int nvmlDeviceGetRunningProcessDetailList(void *handle, void *details)
{
    (void)handle, (void)details;
    return NOT_SUPPORTED;
}
#endif

struct event { void *device; u64 type, data; unsigned gi, ci; };

int nvmlDeviceGetSupportedEventTypes(void *handle, u64 *types)
{
    ENTER("nvmlDeviceGetSupportedEventTypes");
    DEVICE(handle);
    *types = 0x1f;
    return SUCCESS;
}

int nvmlEventSetCreate(void **set)
{
    ENTER("nvmlEventSetCreate");
    *set = xids;
    return SUCCESS;
}

int nvmlEventSetFree(void *set)
{
    (void)set;
    ENTER("nvmlEventSetFree");
    return SUCCESS;
}

int nvmlDeviceRegisterEvents(void *handle, u64 types, void *set)
{
    (void)types, (void)set;
    ENTER("nvmlDeviceRegisterEvents");
    DEVICE(handle);
    return SUCCESS;
}

int nvmlEventSetWait_v2(void *set, struct event *event, unsigned milliseconds)
{
    (void)set;
    struct timespec now, pause_for = { 0, 5000000 };
    clock_gettime(CLOCK_MONOTONIC, &now);
    long long until = now.tv_sec * 1000LL + now.tv_nsec / 1000000 + milliseconds;
    for (;;) {
        ENTER("nvmlEventSetWait");
        if (xids_told < xids_known) {
            struct xid *x = &xids[xids_told++];
            struct event found = { &devices[x->gpu], 8, x->code, NO_INSTANCE, NO_INSTANCE };
            *event = found;
            return SUCCESS;
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec * 1000LL + now.tv_nsec / 1000000 >= until)
            return TIMEOUT;
        nanosleep(&pause_for, NULL);
    }
}
