// flags: -ftls-model=initial-exec
#include "global-dynamic.c"
