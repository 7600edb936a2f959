/* AffineGrid and GridSample: positions that a grid of coordinates in [-1, 1] names, and the cells that each
 * reads. */
#ifndef MICA_COMPILER_GRID_H
#define MICA_COMPILER_GRID_H

#include "ops/op_rules.h"

#define GRID_AXES 3 /* of the sampled planes, at most */
#define GRID_TAPS 4 /* of one axis */

/* AffineGrid's sizes [D,] H, W; *axes of them. */
bool affine_sizes(const graph *g, const graph_node *n, int64_t *size, uint32_t *axes, mica_status *st);
/* The place `at` of the grid that theta maps, and a 1: place[axes + 1], the last axis first. */
void affine_place(const int64_t *size, uint32_t axes, bool aligned, const int64_t *at, double *place);

typedef enum grid_mode { GRID_NEAREST, GRID_LINEAR, GRID_CUBIC } grid_mode;
typedef enum grid_padding { GRID_ZEROS, GRID_BORDER, GRID_REFLECTION } grid_padding;

typedef struct grid_sampling {
    grid_mode mode;
    grid_padding padding;
    bool aligned;
    uint32_t n; /* sampled axes: 2 .. 2 + n of the input; the grid names them last to first */
    int64_t in[GRID_AXES], out[GRID_AXES];
} grid_sampling;

bool grid_read(grid_sampling *p, const graph *g, const graph_node *n, mica_status *st);

/* Coordinate x of the grid is the position factor * x + offset of axis d. */
double grid_factor(const grid_sampling *p, uint32_t d);
double grid_offset(const grid_sampling *p, uint32_t d);

/* Reflections keep positions within [least, least + span] of axis d. */
double grid_least(const grid_sampling *p);
double grid_span(const grid_sampling *p, uint32_t d);

/* The cell that stands for position `at` of axis d, beyond it or not; -1 for a zero. */
int64_t grid_cell(const grid_sampling *p, uint32_t d, int64_t at);

/* Cells of axis d that coordinate x reads, -1 for a zero, and their weights; returns how many. */
unsigned grid_taps(const grid_sampling *p, uint32_t d, double x, int64_t *at, double *weight);

#endif
