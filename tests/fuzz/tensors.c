#include "tensors.h"

#include "fuzz.h"

static const tensor_spec specs[] = {
    {.name = "x", .batched = true, .rank = 1, .dim = {4}},
    {.name = "y", .batched = false, .rank = 2, .dim = {2, -1}},
    {.name = "z", .batched = true, .rank = 3, .dim = {1, 2, 2}},
    {.name = "w", .batched = false, .rank = 0},
    {.name = "v", .batched = true, .rank = MICA_MAX_RANK, .dim = {-1, -1, -1, -1, -1, -1, -1, -1}},
};

void tensors_check(const tensor_data *t) {
    uint64_t n = 1;
    FUZZ_CHECK(t->rank <= TENSOR_MAX_RANK);
    for (uint32_t i = 0; i < t->rank; i++) {
        FUZZ_CHECK(t->dim[i] >= 0);
        n *= (uint64_t)t->dim[i];
    }
    FUZZ_CHECK((n == 0 || t->value != NULL) && t->count == n && n <= TENSOR_MAX_ELEMENTS);
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        FUZZ_CHECK(tensor_items_in(t, &specs[i]) <= n);
}

static void check_items(bool ok, tensor_items *t, const mica_status *st) {
    fuzz_check_status(ok, st);
    double sum = 0;
    for (uint32_t k = 0; ok && k < t->n_ports; k++)
        for (uint64_t i = 0; i < t->items * tensor_spec_cells(&t->spec[k]); i++)
            sum += t->value[k][i];
    FUZZ_CHECK(sum >= 0 || sum < 0 || sum != sum); /* every element was there to be read */
    if (ok)
        tensor_items_free(t);
}

void tensors_as_items(const char *path) {
    char first[80], second[80];
    const char *const named[] = {first, second}, *const twice[] = {path, path};
    tensor_items t;
    for (uint32_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        mica_status st = {0};
        check_items(calibration_read(&t, &specs[i], 1, path, &st), &t, &st);
    }
    mica_status two = {0}, pair = {0}, named_pair = {0};
    check_items(tensor_items_read(&t, &specs[1], 1, "output", twice, 2, &two), &t, &two);
    check_items(tensor_items_read(&t, &specs[1], 2, "input", &path, 1, &pair), &t, &pair);
    (void)snprintf(first, sizeof first, "1=%s", path);
    (void)snprintf(second, sizeof second, "y=%s", path);
    check_items(tensor_items_read(&t, &specs[1], 2, "input", named, 2, &named_pair), &t, &named_pair);
}
