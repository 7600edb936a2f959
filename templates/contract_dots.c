/* CONTRACT, dots: the innermost loop runs along a contracted axis; SUM and LEFT_ROW are repeated for each of the
 * result cells computed together. Accumulators and all partial sums lie in [LO, HI], inside 32 bits. */
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
#define SUM          sum0
#define CELL_BASE    0
#define SCALAR       a0
#define SCALAR_BASE  0
#define RIGHT_BASE   0
#define INDEX        i0
#define STEP         1
#define STRIDE       32
#define INNER        n
#define INNER_DIM    28
#define RIGHT_STEP   1
#define LEFT_STEP    1
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
            int32_t SUM = 0;
            /*@end*/
            /*@each contracted*/
            for (int32_t K = 0; K < K_DIM; K++)
            /*@end*/
            {
                const int32_t *restrict b = RIGHT + (RIGHT_BASE/*@each right_at*/ + INDEX * STRIDE/*@end*/);
                /*@each row*/
                const int32_t *restrict SCALAR = LEFT + (SCALAR_BASE/*@each left_at*/ + INDEX * STRIDE/*@end*/);
                /*@end*/
                for (int32_t INNER = 0; INNER < INNER_DIM; INNER++) {
                    /*@each row*/
                    SUM += SCALAR[INNER * LEFT_STEP] * b[INNER * RIGHT_STEP];
                    /*@end*/
                }
            }
            /*@each row*/
            MICA_RANGE(SUM, LO, HI);
            RESULT[CELL_BASE/*@each row_at*/ + INDEX * STRIDE/*@end*/] = SUM;
            /*@end*/
        }
        mica_wait(frame);
    }
    /*@end*/
}
