// SPDX-License-Identifier: Apache-2.0
/* index.js - the pages, in the order of the navigation; the first is shown where the address names none. */
import {campaigns} from './campaigns.js';
import {events} from './events.js';
import {fleet} from './fleet.js';
import {models} from './models.js';

export const pages = [fleet, campaigns, models, events];
