import { UserPool } from '../src/host-resources.js';

/** Counts who has been taken and not given back. */
export class CountedUsers extends UserPool {
  count = 0;
  override take(): number {
    this.count++;
    return super.take();
  }
  override giveBack(user: number): void {
    this.count--;
    super.giveBack(user);
  }
}
