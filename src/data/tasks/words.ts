/** The words that tasks are written with. Common ones, so that most tokenizers keep them whole. */

const split = (words: string): readonly string[] => words.split(" ");

/** First names. */
export const names: readonly string[] = split(
  "Mary John James Robert Michael William David Richard Joseph Thomas Charles George Daniel Paul Mark Peter " +
    "Henry Jack Frank Anna Elizabeth Sarah Susan Alice Emma Jane Kate Laura Lucy Martha Ruth Tom " +
    "Adam Alan Albert Alex Amy Andrew Arthur Ben Brian Bruce Carl Chris Claire Dan Diana Donald Edward Eric " +
    "Fred Grace Harry Helen Ian Jason Jennifer Jessica Jim Joe Julia Justin Karen Keith Kevin Larry Lee Lewis " +
    "Linda Lisa Louis Luke Maria Martin Matthew Max Nancy Neil Nick Oliver Patrick Philip Rachel Ray Rebecca " +
    "Roger Rose Ryan Sam Scott Simon Stephen Steven Tim Tony Victoria Walter",
);

/** Places that two people can be at; they follow "the". */
export const places: readonly string[] = split(
  "store school park church house river hall market office garden station hospital farm library",
);

/** Things that one can hand to another; they follow "a". */
export const objects: readonly string[] = split("book letter ring drink gift paper picture box key coat map stone");

/** Things that last for years; they follow "The". */
export const durations: readonly string[] = split(
  "war peace rule work plan trial debate struggle project building journey contract program conflict mission " +
    "movement service partnership search marriage voyage siege treaty empire dispute",
);

/** Everyday words for lists. */
export const listWords: readonly string[] = split(
  "man woman child king ship sea land war tree house dog cat bird fish horse door wall road stone fire water " +
    "air sun moon star night day year book paper letter hand head eye arm foot heart gold iron wood salt bread " +
    "wine milk field farm town city state law court army boat wind rain snow ice hill river lake rock",
);

/** A noun's singular and plural. */
export type NounForms = readonly [singular: string, plural: string];

/** Regular plurals of people: each can be the subject of any sentence. */
export const people: readonly NounForms[] = [
  ...split(
    "boy girl king friend officer captain sailor soldier doctor farmer teacher writer worker leader player student " +
      "member judge master servant author brother sister son father mother daughter lawyer driver singer",
  ).map((singular): NounForms => [singular, `${singular}s`]),
  ["man", "men"],
  ["woman", "women"],
  ["child", "children"],
];

/** Things that people can be near. */
export const things: readonly NounForms[] = split(
  "ship boat house tree door table wall river road car horse town field book window building bridge hill rock farm",
).map((singular) => [singular, `${singular}s`]);

/** A country and its capital, each one word. */
export type CapitalFact = readonly [country: string, capital: string];

/** Capitals of countries, as of 2024; names of more than one word are left out. */
export const capitals: readonly CapitalFact[] = split(
  "France-Paris England-London Italy-Rome Spain-Madrid Germany-Berlin Russia-Moscow China-Beijing Japan-Tokyo " +
    "Egypt-Cairo Greece-Athens Poland-Warsaw Ireland-Dublin Scotland-Edinburgh Wales-Cardiff Portugal-Lisbon " +
    "Austria-Vienna Hungary-Budapest Sweden-Stockholm Norway-Oslo Denmark-Copenhagen Finland-Helsinki " +
    "Belgium-Brussels Switzerland-Bern Turkey-Ankara Iran-Tehran Iraq-Baghdad Syria-Damascus Lebanon-Beirut " +
    "Jordan-Amman Cuba-Havana Canada-Ottawa Peru-Lima Chile-Santiago Venezuela-Caracas Ecuador-Quito " +
    "Kenya-Nairobi Nigeria-Abuja Ghana-Accra Morocco-Rabat Libya-Tripoli Tunisia-Tunis Algeria-Algiers " +
    "Sudan-Khartoum Senegal-Dakar Angola-Luanda Zimbabwe-Harare Uganda-Kampala Afghanistan-Kabul " +
    "Pakistan-Islamabad Bangladesh-Dhaka Nepal-Kathmandu Thailand-Bangkok Vietnam-Hanoi Indonesia-Jakarta " +
    "Mongolia-Ulaanbaatar Australia-Canberra Ukraine-Kyiv Romania-Bucharest " +
    "Bulgaria-Sofia Serbia-Belgrade Croatia-Zagreb Slovenia-Ljubljana Slovakia-Bratislava Albania-Tirana " +
    "Estonia-Tallinn Latvia-Riga Lithuania-Vilnius Belarus-Minsk Georgia-Tbilisi Armenia-Yerevan " +
    "Azerbaijan-Baku Qatar-Doha Yemen-Sanaa Oman-Muscat Somalia-Mogadishu Jamaica-Kingston Iceland-Reykjavik " +
    "Cyprus-Nicosia Malta-Valletta",
).map((fact): CapitalFact => {
  const [country = "", capital = ""] = fact.split("-");
  return [country, capital];
});
