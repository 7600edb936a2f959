/* CONTRACT, panels: a product of matrices [rows, depth] and [depth, columns] of cells that fit into 16 bits. The right
 * operand is copied, a chunk of its columns at a time and through its windows if it has any, into a panel with pairs
 * of rows interleaved; the left one is copied row by row. The parts of a frame share the panel and divide the rows: each
 * waits until the panel is filled, and until nobody reads it any more. No two parts write to one pair of rows. Accumulators and all partial sums lie in [LO, HI], inside
 * 32 bits. */
#include "mica/layer.h"

/*@example*/
#define RESULT        t3
#define RESULT_AT     0
#define LEFT          t1
#define LEFT_SOURCE   mica_cells
#define LEFT_AT       1
#define RIGHT         t2
#define RIGHT_SOURCE  mica_cells
#define RIGHT_AT      2
#define LO            -100000
#define HI            100000
#define ROWS_AT       4096
#define PANEL_AT      8192
#define SUMS_AT       16384
#define RESULT_BASE   0
#define LEFT_BASE     0
#define RIGHT_BASE    0
#define INDEX         i0
#define DIM           4
#define STRIDE        1024
#define SPAN          28
#define K             k0
#define K_DIM         5
#define K_SPAN        5
#define LEFT_K        k1
#define LEFT_K_DIM    5
#define LEFT_K_STEP   1
#define ROW           i1
#define N_ROWS        16
#define BLOCK         8
#define ROW_STEP      512
#define ROW_RESULT    1024
#define DEPTH         26
#define LAST_DEPTH    25
#define COLUMNS       112
#define CHUNK_DIM     28
#define CHUNK         4
#define CHUNK_SPAN    28
#define COLUMN        i2
#define COLUMN_FROM   begin
#define COLUMN_TO     end
#define POSITION      y
#define SHIFT         -2
#define SIZE          28
#define INNER         n
#define INNER_FROM    0
#define INNER_TO      28
#define RIGHT_STEP    1
#define RESULT_STEP   1
#define WINDOW_STEP   1
#define FIRST_DEPTH   5
#define K_BEGIN       depth_begin
#define K_END         depth_end
/*@end*/

void example(const mica_frame *frame);
MICA_LAYER void example(const mica_frame *frame) {
    /*@body*/
    {
        int32_t *restrict RESULT = mica_scratch(frame, RESULT_AT);
        const int32_t *restrict LEFT = LEFT_SOURCE(frame, LEFT_AT);
        const int32_t *restrict RIGHT = RIGHT_SOURCE(frame, RIGHT_AT);
        int16_t *restrict rows = mica_scratch16(frame, ROWS_AT);
        mica_cell_pair *restrict panel = mica_scratch_pairs(frame, PANEL_AT);
        int32_t *restrict sums = mica_own(frame, SUMS_AT);
        const int32_t row_begin = mica_from(frame, N_ROWS, BLOCK), row_end = mica_to(frame, N_ROWS, BLOCK);
        const int32_t depth_begin = mica_from(frame, FIRST_DEPTH, 2), depth_end = mica_to(frame, FIRST_DEPTH, 2);
        /*@each paired*/
        for (int32_t INDEX = 0; INDEX < DIM; INDEX++)
        /*@end*/
        {
            for (int32_t ROW = row_begin; ROW < row_end; ROW++) {
                /*@each left_depth*/
                for (int32_t K = 0; K < K_DIM; K++)
                /*@end*/
                {
                    const int32_t *restrict a = LEFT + (LEFT_BASE + ROW * ROW_STEP/*@each left_at*/ + INDEX * STRIDE/*@end*/);
                    int16_t *restrict to = rows + (ROW * DEPTH/*@each left_to*/ + INDEX * STRIDE/*@end*/);
                    for (int32_t LEFT_K = 0; LEFT_K < LEFT_K_DIM; LEFT_K++) {
                        to[LEFT_K] = (int16_t)a[LEFT_K * LEFT_K_STEP];
                    }
                }
                /*@each odd*/
                rows[ROW * DEPTH + LAST_DEPTH] = 0;
                /*@end*/
            }
            for (int32_t begin = 0; begin < CHUNK_DIM; begin += CHUNK) {
                /*@each several_chunks*/
                const int32_t end = mica_smaller(begin + CHUNK, CHUNK_DIM);
                /*@end*/
                /*@each border*/
                const int32_t clear_end = mica_to(frame, DEPTH / 2 * COLUMNS, 1);
                for (int32_t i = mica_from(frame, DEPTH / 2 * COLUMNS, 1); i < clear_end; i++) {
                    panel[i] = 0;
                }
                mica_wait(frame);
                /*@end*/
                /*@each depth*/
                for (int32_t K = K_BEGIN; K < K_END; K++)
                /*@end*/
                {
                    /*@each column*/
                    for (int32_t COLUMN = COLUMN_FROM; COLUMN < COLUMN_TO; COLUMN++)
                    /*@end*/
                    {
                        /*@each window*/
                        const int32_t POSITION = SHIFT/*@each moves*/ + INDEX * STRIDE/*@end*/;
                        if (POSITION < 0 || POSITION >= SIZE)
                            continue;
                        /*@end*/
                        int32_t first = INNER_FROM, last = INNER_TO;
                        /*@each sliding*/
                        const int32_t shift = SHIFT/*@each moves*/ + INDEX * STRIDE/*@end*/;
                        first = mica_larger(mica_window_first(shift, WINDOW_STEP), INNER_FROM);
                        last = mica_window_end(shift, WINDOW_STEP, SIZE, INNER_TO);
                        /*@end*/
                        const int32_t b = RIGHT_BASE/*@each right_at*/ + INDEX * STRIDE/*@end*/;
                        const int32_t depth = 0/*@each depth_at*/ + K * K_SPAN/*@end*/;
                        mica_cell_pair *restrict to = panel + (depth / 2 * COLUMNS/*@each column_at*/ + INDEX * SPAN/*@end*/ - begin * CHUNK_SPAN);
                        MICA_INDEPENDENT for (int32_t INNER = first; INNER < last; INNER++) {
                            to[INNER] = mica_put_half(to[INNER], depth % 2, RIGHT[b + INNER * RIGHT_STEP]);
                        }
                    }
                }
                mica_wait(frame);
                for (int32_t block = row_begin; block < row_end; block += BLOCK) {
                    const int32_t height = mica_smaller(BLOCK, row_end - block);
                    mica_products(sums, rows + block * DEPTH, (const int16_t *)panel, height, COLUMNS, DEPTH);
                    for (int32_t ROW = 0; ROW < height; ROW++) {
                        /*@each column*/
                        for (int32_t COLUMN = COLUMN_FROM; COLUMN < COLUMN_TO; COLUMN++)
                        /*@end*/
                        {
                            const int32_t *restrict from = sums + (ROW * COLUMNS/*@each column_at*/ + INDEX * SPAN/*@end*/ - begin * CHUNK_SPAN);
                            int32_t *restrict to = RESULT + (RESULT_BASE + (block + ROW) * ROW_RESULT/*@each result_at*/ + INDEX * STRIDE/*@end*/);
                            MICA_INDEPENDENT for (int32_t INNER = INNER_FROM; INNER < INNER_TO; INNER++) {
                                MICA_RANGE(from[INNER], LO, HI);
                                to[INNER * RESULT_STEP] = from[INNER];
                            }
                        }
                    }
                }
                mica_wait(frame);
            }
        }
    }
    /*@end*/
}
