/* Pages of a mapped file that are let go of hold the same bytes when they are read again. */
#include "base/file_pages.h"

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "suite.h"

#define SIZE ((size_t)1 << 20)

static uint8_t bytes[SIZE];

static const uint8_t *map_file(void) {
    char path[] = "/tmp/mica-pages-XXXXXX";
    const int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(unlink(path), 0);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)(i * 7 + (i >> 12));
    ck_assert_int_eq(write(fd, bytes, SIZE), SIZE);
    const uint8_t *map = mmap(NULL, SIZE, PROT_READ, MAP_PRIVATE, fd, 0);
    ck_assert(map != MAP_FAILED);
    ck_assert_int_eq(close(fd), 0);
    return map;
}

START_TEST(bytes_stay) {
    static const size_t range[][2] = {{0, SIZE}, {1, SIZE - 2}, {5000, 100}, {4095, 4098}, {SIZE, 0}};
    const uint8_t *map = map_file();
    for (size_t r = 0; r < sizeof range / sizeof *range; r++) {
        file_pages_scattered(map + range[r][0], range[r][1]);
        for (int again = 0; again < 2; again++) {
            ck_assert(memcmp(map, bytes, SIZE) == 0);
            file_pages_release(map + range[r][0], range[r][1]);
        }
    }
    ck_assert_int_eq(munmap((void *)(uintptr_t)map, SIZE), 0);
}
END_TEST

int main(void) {
    Suite *s = suite_create("file_pages");
    TCase *t = tcase_create("pages");
    tcase_add_test(t, bytes_stay);
    suite_add_tcase(s, t);
    return suite_run(s);
}
