// flags: -ftls-model=local-exec
#include "global-dynamic.c"
