'use strict';
const { dirname, join } = require('node:path');

require(join(dirname(require.resolve('@farjit/compiler/package.json')), 'bin/farjit.js'));
