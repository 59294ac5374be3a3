// The screens that there are, as the router has them: what wants to see every screen, and says so when one is missing, reads them here.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const SOURCE = join(__dirname, '..', 'app', 'src', 'app.rs');

/** The routes of the application, as the code has them. */
export function routes(): string[] {
  const found: string[] = [];
  const above: string[] = [];
  for (const [, parent, path, end] of readFileSync(SOURCE, 'utf8').matchAll(/<(Parent)?Route path=path!\("([^"]*)"\)|<\/(ParentRoute)>/g)) {
    if (end) above.pop();
    else if (parent) above.push(path);
    else found.push(above.join('') + path || '/');
  }
  return found;
}

const names = (route: string) => route.split(':').length;

/** The route that an address is of: of several that fit, the one that names least; `undefined` when it leads nowhere. */
export function routeOf(address: string): string | undefined {
  const path = address.split('?')[0];
  const fits = routes().filter((route) => new RegExp(`^${route.replace(/:\w+/g, '[^/]+')}$`).test(path));
  return fits.sort((a, b) => names(a) - names(b))[0];
}
