// SPDX-License-Identifier: Apache-2.0
/* index.js - the pages, in the order of the navigation; the first is shown where the address names none. */
import {accuracy} from './accuracy.js';
import {campaigns} from './campaigns.js';
import {events} from './events.js';
import {fleet} from './fleet.js';
import {models} from './models.js';
import {networks} from './networks.js';
import {staircases} from './staircases.js';

export const pages = [fleet, campaigns, staircases, accuracy, networks, models, events];
