import { baseline } from './targets/baseline.js';
import { testTarget } from './test-target.js';

testTarget(baseline);
