/** When each criterion was fixed. A changed criterion appends an entry; none is ever edited. */
import type { Registration } from '../ledger/types.js';

export const CLAIM_REGISTER: { readonly [claim: string]: readonly Registration[] } = {};
