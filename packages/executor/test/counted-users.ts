import { UserPool } from '../src/user-pool.js';
import { UserRanges } from '../src/user-ranges.js';

/** A host's users; counts who has been taken and not given back. */
export class CountedUsers extends UserPool {
  count = 0;

  constructor() {
    super(process.getuid?.() === 0 ? new UserRanges() : undefined);
  }

  override take(): number {
    this.count++;
    return super.take();
  }
  override giveBack(user: number): void {
    this.count--;
    super.giveBack(user);
  }
}
