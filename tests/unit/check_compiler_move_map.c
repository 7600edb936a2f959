/* Movements of cells: lists are taken apart into factors, and strides are found. */
#define _GNU_SOURCE
#include "lowering/move_map.h"
#include "lowering_kit.h"

/* The movement that the groups describe, cell by cell. */
static uint32_t product_of(const move_map *m, unsigned rank, const uint32_t *dim, unsigned src_rank,
                           const uint32_t *src_dim, uint32_t e) {
    uint32_t index[MICA_MAX_RANK], cell = 0, source[MICA_MAX_RANK] = {0};
    for (unsigned a = rank; a-- > 0; e /= dim[a])
        index[a] = e % dim[a];
    for (unsigned j = 0; j < m->n_groups; j++) {
        const move_group *g = &m->group[j];
        int64_t row = 0, flat = g->offset, cells = 1;
        for (unsigned i = 0; i < g->n_out; i++) {
            row = row * dim[g->out[i]] + index[g->out[i]];
            flat += (int64_t)g->stride[i] * index[g->out[i]];
        }
        for (unsigned i = 0; i < g->n_src; i++)
            cells *= src_dim[g->src[i]];
        if (!g->affine)
            flat = g->cell[row] == MICA_NO_CELL ? -1 : (int64_t)g->cell[row];
        if (flat < 0 || flat >= cells)
            return MICA_NO_CELL;
        for (unsigned i = g->n_src; i-- > 0; flat /= src_dim[g->src[i]])
            source[g->src[i]] = (uint32_t)(flat % src_dim[g->src[i]]);
    }
    for (unsigned b = 0; b < src_rank; b++)
        cell = cell * src_dim[b] + source[b];
    return cell;
}

static void check_movement(const char *name, unsigned rank, const uint32_t *dim, unsigned src_rank,
                           const uint32_t *src_dim, const uint32_t *from, move_map *m) {
    mica_status st = {0};
    uint32_t cells = 1;
    for (unsigned i = 0; i < rank; i++)
        cells *= dim[i];
    ck_assert_msg(move_map_create(m, rank, dim, src_rank, src_dim, from, &st), "%s", st.message);
    for (uint32_t e = 0; e < cells; e++) {
        const uint32_t got = m->empty ? MICA_NO_CELL : product_of(m, rank, dim, src_rank, src_dim, e);
        ck_assert_msg(got == from[e], "%s: cell %u comes from %u, expected %u", name, e, got, from[e]);
    }
}

/* Products of random lists are taken apart again; one cell changed is seen. */
START_TEST(movements_are_taken_apart) {
    static const uint32_t dim[] = {4, 3, 5}, src_dim[] = {3, 7, 2};
    uint64_t seed = 40 + (uint64_t)_i;
    uint32_t list[3][5], from[60];
    move_map m;
    for (unsigned a = 0; a < 3; a++)
        for (unsigned i = 0; i < dim[a]; i++)
            list[a][i] = random_double(&seed) < -0.6
                             ? MICA_NO_CELL
                             : (uint32_t)((random_double(&seed) + 1) / 2 * src_dim[a]);
    for (uint32_t e = 0; e < 60; e++) {
        const uint32_t x = list[0][e / 15], y = list[1][e / 5 % 3], z = list[2][e % 5];
        from[e] =
            x == MICA_NO_CELL || y == MICA_NO_CELL || z == MICA_NO_CELL ? MICA_NO_CELL : (x * 7 + y) * 2 + z;
    }
    check_movement("product", 3, dim, 3, src_dim, from, &m);
    for (unsigned j = 0; j < m.n_groups; j++)
        ck_assert_msg(m.group[j].n_out <= 1, "seed %d: axes that are independent share a factor", 40 + _i);
    move_map_free(&m);
    const unsigned changed = (unsigned)((random_double(&seed) + 1) * 30);
    from[changed] = from[changed] == 5 ? MICA_NO_CELL : 5;
    check_movement("one cell changed", 3, dim, 3, src_dim, from, &m);
    move_map_free(&m);
    for (uint32_t e = 0; e < 60; e++)
        from[e] = random_double(&seed) < 0 ? MICA_NO_CELL : (uint32_t)((random_double(&seed) + 1) * 21);
    check_movement("random", 3, dim, 3, src_dim, from, &m);
    move_map_free(&m);
}
END_TEST

START_TEST(strides_are_found) {
    static const uint32_t dim[] = {2, 3}, flat[] = {6}, back[] = {5, 4, 3, 2, 1, 0},
                          diagonal[] = {0, 3, MICA_NO_CELL, 1, 4, 2};
    move_map m;
    check_movement("reversal", 2, dim, 1, flat, back, &m);
    ck_assert(m.n_groups == 1 && m.group[0].affine && m.group[0].stride[0] == -3 &&
              m.group[0].stride[1] == -1);
    move_map_free(&m);
    check_movement("diagonal", 2, dim, 1, flat, diagonal, &m);
    ck_assert(m.n_groups == 1 && !m.group[0].affine);
    move_map_free(&m);
}
END_TEST

int main(void) {
    Suite *s = suite_create("move map");
    TCase *t = tcase_create("map");
    tcase_add_loop_test(t, movements_are_taken_apart, 0, 40);
    tcase_add_test(t, strides_are_found);
    suite_add_tcase(s, t);
    return suite_run(s);
}
