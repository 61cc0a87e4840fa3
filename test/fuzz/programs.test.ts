import { program } from './targets/program.js';
import { testTarget } from './test-target.js';

testTarget(program);
