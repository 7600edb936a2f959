/* Standard input, output and error of a command. */
#ifndef MICA_STREAMS_H
#define MICA_STREAMS_H

#include <stdbool.h>

/* For the first line of main: a pipe whose reader went away and a file that may not grow are errors of
 * writing, not the end of the process; and no file that is opened later gets the number of a standard stream
 * that was closed. */
void mica_streams_open(void);

/* For the last: whether all that was said on standard output has left the process. */
bool mica_streams_said(void);

#endif
