// Somebody at work, by mouse or by keyboard alone, who counts every click and every key and never loses sight of the focus.
import { expect, type Locator, type Page } from '@playwright/test';

export type Way = 'mouse' | 'keyboard';

/** No screen has more stops than these between two things that one does. */
const PATIENCE = 120;

export class Hand {
  clicks = 0;
  /** Keys, without the text that is typed. */
  keys = 0;
  /** Something was pressed by keyboard, and whoever did it has not yet looked where they are. */
  private hasPressed = false;

  constructor(
    readonly page: Page,
    readonly way: Way,
  ) {
    // One begins at the top of a page that is loaded anew.
    page.on('domcontentloaded', () => (this.hasPressed = false));
  }

  /** Opens what the search everywhere finds. */
  async find(text: string, name: RegExp | string): Promise<void> {
    const field = this.page.getByRole('combobox', { name: 'Search everywhere' });
    await this.isSomewhere();
    if (this.way === 'mouse') {
      this.clicks += 2;
      await this.page.getByRole('banner').getByRole('link', { name: 'Search' }).click();
    } else {
      await this.key('ControlOrMeta+k');
    }
    await expect(field).toBeFocused();
    await this.page.keyboard.type(text);
    const hit = this.page.getByRole('listbox', { name: 'Results' }).getByRole('option', { name }).first();
    await expect(hit).toBeVisible();
    if (this.way === 'mouse') {
      await hit.click();
    } else {
      while ((await hit.getAttribute('aria-selected')) !== 'true') await this.key('ArrowDown');
      await this.key('Enter');
    }
    await expect(field).toBeHidden();
  }

  /** Presses a button, follows a link, unfolds what is folded. */
  async press(what: Locator): Promise<void> {
    if (this.way === 'mouse') {
      this.clicks += 1;
      await what.click();
    } else {
      await this.reach(what);
      await this.key('Enter');
      this.hasPressed = true;
    }
  }

  /** What was pressed may be gone with the answer: the focus is on the page all the same, and not at its beginning. Ask when it is there. */
  async isSomewhere(): Promise<void> {
    if (!this.hasPressed) return;
    await expect.poll(() => this.page.evaluate(() => document.activeElement?.localName), 'what has the focus').not.toBe('body');
    this.hasPressed = false;
  }

  /** Ticks a box. */
  async tick(box: Locator): Promise<void> {
    if (this.way === 'mouse') {
      this.clicks += 1;
      await box.click();
    } else {
      await this.reach(box);
      await this.key('Space');
    }
    await expect(box).toBeChecked();
  }

  /** Writes into a field, over what was there. */
  async write(field: Locator, text: string): Promise<void> {
    if (!(await field.evaluate((field) => field === document.activeElement))) {
      if (this.way === 'mouse') {
        this.clicks += 1;
        await field.click();
      } else {
        await this.reach(field);
      }
    }
    if (await field.inputValue()) await this.key('ControlOrMeta+a');
    await this.page.keyboard.type(text);
    await expect(field).toHaveValue(text);
  }

  /** Chooses one of a list. */
  async choose(list: Locator, label: string): Promise<void> {
    if (this.way === 'mouse') {
      this.clicks += 2;
      await list.selectOption({ label });
    } else {
      await this.reach(list);
      await this.page.keyboard.type(label);
    }
    await expect(list.locator('option:checked')).toHaveText(label);
  }

  private async key(key: string): Promise<void> {
    this.keys += 1;
    await this.page.keyboard.press(key);
  }

  /** Goes from where the focus is, forwards or backwards, until it is there. */
  private async reach(what: Locator): Promise<void> {
    await expect(what).toBeVisible();
    await this.isSomewhere();
    for (let n = 0; n < PATIENCE; n += 1) {
      const where = await what.evaluate((what) => {
        const at = document.activeElement;
        if (at === what) return 'there';
        return at && at.compareDocumentPosition(what) & Node.DOCUMENT_POSITION_PRECEDING ? 'before' : 'behind';
      });
      if (where === 'there') return;
      await this.key(where === 'before' ? 'Shift+Tab' : 'Tab');
      await this.seesTheFocus();
    }
    throw new Error(`${what} is not reached by keyboard`);
  }

  /** What has the focus is on the screen, and nothing covers it (WCAG 2.2, 2.4.7 and 2.4.11). */
  private async seesTheFocus(): Promise<void> {
    const trouble = await this.page.evaluate(() => {
      const at = document.activeElement;
      // Between the page's end and its beginning the browser has it.
      if (!at || at === document.body) return '';
      // A radio or a box that is painted by its label.
      const painted = at.closest('label') ?? at;
      const box = painted.getBoundingClientRect();
      const points = [0.1, 0.5, 0.9].flatMap((x) => [0.2, 0.5, 0.8].map((y) => [box.left + box.width * x, box.top + box.height * y]));
      const on = points.map(([x, y]) => document.elementFromPoint(x, y));
      const isSeen = on.some((top) => top && (painted.contains(top) || top.contains(painted)));
      return isSeen ? '' : `${at.outerHTML.slice(0, 200)} has the focus and is not seen at ${JSON.stringify(box)}`;
    });
    expect(trouble).toBe('');
  }
}
