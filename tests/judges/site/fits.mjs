// Nothing is wider than its window.

/** Pages never scroll sideways. */
export async function fits(person, where, width) {
  const wide = await person.page.evaluate(() => {
    const limit = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= limit) return null;
    const over = [...document.querySelectorAll("main *")].find((one) => one.getBoundingClientRect().right > limit + 1 || one.getBoundingClientRect().left < -1);
    return `${document.documentElement.scrollWidth} px wide, because of ${over?.outerHTML.slice(0, 200)}`;
  });
  person.faults.check(!wide, where, `is ${wide} in a window of ${width} px`);
}
