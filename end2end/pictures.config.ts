// Takes the README's pictures anew: make pictures
import base from './playwright.config';

export default { ...base, testDir: '.', testMatch: 'pictures.ts', timeout: 180_000 };
