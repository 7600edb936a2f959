/* CONTRACT, rows: the innermost loop runs along an axis of the result; ROW and SCALAR are repeated for each of the
 * result rows computed together. The right operand may be read through sliding windows, which are not copied out:
 * positions that fall into the border contribute nothing. Accumulators and all partial sums lie in [LO, HI], inside
 * 32 bits. */
#include "mica/layer.h"

/*@example*/
#define RESULT       t3
#define RESULT_AT    0
#define LEFT         t1
#define LEFT_SOURCE  mica_cells
#define LEFT_AT      1
#define RIGHT        t2
#define RIGHT_SOURCE mica_cells
#define RIGHT_AT     2
#define LO           -100000
#define HI           100000
#define ROW          row0
#define ROW_BASE     0
#define SCALAR       a0
#define SCALAR_BASE  0
#define RIGHT_BASE   0
#define POSITION     y
#define SHIFT        -2
#define SIZE         28
#define SRC_STRIDE   32
#define INDEX        i0
#define STEP         1
#define STRIDE       32
#define INNER        n
#define INNER_DIM    28
#define INNER_FROM   first
#define INNER_TO     end
#define ROW_STEP     1
#define RIGHT_STEP   1
#define LEFT_STEP    1
#define WINDOW_STEP  1
#define K            k0
#define K_DIM        5
#define SPLIT        28
#define SPLIT_STEP   1
#define BEGIN        part_begin
#define END          part_end
/*@end*/

void example(const mica_frame *frame);
MICA_LAYER void example(const mica_frame *frame) {
    /*@body*/
    {
        const int32_t part_begin = mica_from(frame, SPLIT, SPLIT_STEP), part_end = mica_to(frame, SPLIT, SPLIT_STEP);
        int32_t *restrict RESULT = mica_scratch(frame, RESULT_AT);
        const int32_t *restrict LEFT = LEFT_SOURCE(frame, LEFT_AT);
        const int32_t *restrict RIGHT = RIGHT_SOURCE(frame, RIGHT_AT);
        /*@each outer*/
        for (int32_t INDEX = BEGIN; INDEX < END; INDEX += STEP)
        /*@end*/
        {
            /*@each row*/
            int32_t *restrict ROW = RESULT + (ROW_BASE/*@each row_at*/ + INDEX * STRIDE/*@end*/);
            /*@end*/
            for (int32_t INNER = 0; INNER < INNER_DIM; INNER++) {
                /*@each row*/
                ROW[INNER * ROW_STEP] = 0;
                /*@end*/
            }
            /*@each contracted*/
            for (int32_t K = 0; K < K_DIM; K++)
            /*@end*/
            {
                /*@each window*/
                const int32_t POSITION = SHIFT/*@each moves*/ + INDEX * STRIDE/*@end*/;
                if (POSITION < 0 || POSITION >= SIZE)
                    continue;
                /*@end*/
                /*@each sliding*/
                const int32_t shift = SHIFT/*@each moves*/ + INDEX * STRIDE/*@end*/;
                const int32_t first = mica_window_first(shift, WINDOW_STEP);
                const int32_t end = mica_window_end(shift, WINDOW_STEP, SIZE, INNER_DIM);
                /*@end*/
                const int32_t at = RIGHT_BASE/*@each right_at*/ + INDEX * STRIDE/*@end*/;
                /*@each row*/
                const int32_t *restrict SCALAR = LEFT + (SCALAR_BASE/*@each left_at*/ + INDEX * STRIDE/*@end*/);
                /*@end*/
                MICA_INDEPENDENT for (int32_t INNER = INNER_FROM; INNER < INNER_TO; INNER++) {
                    /*@each row*/
                    ROW[INNER * ROW_STEP] += SCALAR[0/*@each left_inner*/ + INNER * LEFT_STEP/*@end*/] * RIGHT[at + INNER * RIGHT_STEP];
                    /*@end*/
                }
            }
            for (int32_t INNER = 0; INNER < INNER_DIM; INNER++) {
                /*@each row*/
                MICA_RANGE(ROW[INNER * ROW_STEP], LO, HI);
                /*@end*/
            }
        }
        mica_wait(frame);
    }
    /*@end*/
}
