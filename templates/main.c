/* The executable's main function, weights linked in. */
#include "mica/model.h"

/*@example*/
#define HEADER_FILE "mica/layer.h"
#define MODEL_DATA  lenet_model
/*@end*/
extern const mica_model MODEL_DATA;
/*@body*/
#include HEADER_FILE

#include "mica/prover_main.h"

int main(int argc, char **argv) { return mica_prover_main(argc, argv, &MODEL_DATA); }
/*@end*/
