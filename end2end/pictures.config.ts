// Takes the README's pictures anew: npx playwright test --config end2end/pictures.config.ts
import base from './playwright.config';

export default { ...base, testDir: '.', testMatch: 'pictures.ts', timeout: 180_000 };
