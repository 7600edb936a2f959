/* The executable's main function, weights mapped from the file beside the executable. */
#include "mica/model.h"

/*@example*/
#define HEADER_FILE "mica/layer.h"
#define MODEL_DATA  lenet_model
#define WEIGHT_FILE lenet.weights
#define WEIGHT_SIZE 1000
/*@end*/
extern const mica_model MODEL_DATA;
/*@body*/
#include HEADER_FILE

#include "mica/prover_main.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Path of the weight file in the executable's directory; false if it does not fit. */
static int weight_path(char *path, size_t size) {
    static const char name[] = "WEIGHT_FILE";
    const ssize_t n = readlink("/proc/self/exe", path, size);
    if (n <= 0 || (size_t)n + sizeof name >= size)
        return 0;
    path[n] = 0;
    char *slash = strrchr(path, '/');
    memcpy(slash ? slash + 1 : path, name, sizeof name);
    return 1;
}

static int fail(const char *path, const char *why) {
    fprintf(stderr, "error: %s: %s\n", path, why);
    return 2;
}

int main(int argc, char **argv) {
    char path[4096];
    struct stat info;
    mica_model model = MODEL_DATA;
    if (!weight_path(path, sizeof path))
        return fail("WEIGHT_FILE", "the executable's own folder, where it must lie, is not known");
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0 || fstat(file, &info) != 0)
        return fail(path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return fail(path, "is not a regular file");
    if (info.st_size != WEIGHT_SIZE)
        return fail(path, "is not WEIGHT_SIZE bytes long: damaged, or the weights of another model");
    void *cells = mmap(NULL, WEIGHT_SIZE, PROT_READ, MAP_PRIVATE, file, 0);
    if (cells == MAP_FAILED)
        return fail(path, strerror(errno));
    model.weights = cells;
    model.weights_size = WEIGHT_SIZE;
    return mica_prover_main(argc, argv, &model);
}
/*@end*/
