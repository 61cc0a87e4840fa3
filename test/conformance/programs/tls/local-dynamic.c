// flags: -ftls-model=local-dynamic
#include "global-dynamic.c"
