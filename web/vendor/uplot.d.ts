// The chart library's types; the build puts the library itself here.
export {default} from 'uplot';
